from . import plotting as plotting
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
from .rates import RangeTest as RangeTest
from .rates import lr_range_test as lr_range_test
from .rates import try_rates as try_rates
from .sampling import sample as sample
from .scoring import Score as Score
from .scoring import score as score
from .training import History as History
from .training import fit as fit
from .vocab import Vocab as Vocab

__version__: str
