"How good is a model? Needs the training extra."
from colorfast.basics import require

require('train', 'torch', 'fastai', 'pandas', what='colorfast.evaluate')
