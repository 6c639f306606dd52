"A model for one family's photos. Needs the training extra."
from colorfast.basics import require

require('train', 'torch', 'fastai', 'pandas', what='colorfast.finetune')
