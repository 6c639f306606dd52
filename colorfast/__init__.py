"Color black-and-white photographs, and fine-tune on your own family photos."
__version__ = "0.2.0"
_HOMES = {'Colorizer': 'colorize.colorizer', 'VideoColorizer': 'video.colorizer'}

def __getattr__(name):
    "The front doors, imported when they are first used: `from colorfast import Colorizer`."
    if name not in _HOMES: raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
    from importlib import import_module
    return getattr(import_module(f'{__name__}.{_HOMES[name]}'), name)
