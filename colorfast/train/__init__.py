"Training with fastai; `from colorfast.train.all import *` gives what a training needs."
from colorfast.basics import require
require('train', 'torch', 'fastai', 'timm', 'pandas', what='Training')
