"Networks in torch."
from colorfast.basics import require
require('train', 'torch', 'fastai', 'timm', what='A network in torch')
