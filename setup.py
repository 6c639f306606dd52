"Hand the requirements and the command in settings.ini to setuptools; all else is in pyproject.toml."
from configparser import ConfigParser
from setuptools import setup

cfg = ConfigParser(delimiters=['='])
cfg.read('settings.ini', encoding='utf-8')
cfg = cfg['DEFAULT']
extras = {k.removesuffix('_requirements'): v.split() for k,v in cfg.items() if k.endswith('_requirements')}
extras['dev'] = [r for rs in extras.values() for r in rs]  # everything

setup(install_requires=cfg['requirements'].split(),
      extras_require=extras,
      entry_points={'console_scripts': [cfg['console_scripts']], 'nbdev': ['colorfast=colorfast._modidx:d']})
