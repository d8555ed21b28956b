from .data import Split as Split
from .data import load_words as load_words
from .data import split_words as split_words
from .evaluation import Evaluation as Evaluation
from .evaluation import evaluate as evaluate
from .models import bigram as bigram
from .models import counts as counts
from .models import logits as logits
from .models import mlp as mlp
from .models import num_params as num_params
from .models.bigram import Bigram as Bigram
from .models.counts import Counts as Counts
from .models.mlp import MLP as MLP
from .sampling import sample as sample
from .training import History as History
from .training import fit as fit
from .vocab import Vocab as Vocab

__version__: str
