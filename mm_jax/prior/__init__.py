"""What is known before a list is seen: a network that has read some 1,600 other lists, in twenty scripts.

    params = mm_jax.prior.load()                          the bundled network
    mm_jax.prior.restrict(params, words, vocab)           as it is, for the alphabet and in the style of a list: a GRU
    mm_jax.prior.adapt(params, words, vocab, key)         trained on the list: a GRU
    mm_jax.prior.interpolate(params, words, vocab, key, order=5).params   times the list's n-grams: a Product
    mm_jax.prior.heads.interpolate(params, words, vocab, 5).params   the same, of an output layer alone, as a page does

Each of these is an ordinary model. It makes good words from twenty examples on, and gains less the longer the list is:
examples/README.md has the figures. `examples/prior.py` makes the network, and names the lists that it reads.
"""

import functools
from pathlib import Path

from mm_jax import checkpoint
from mm_jax.prior import heads as heads
from mm_jax.prior import network
from mm_jax.prior.adapting import Interpolated as Interpolated
from mm_jax.prior.adapting import adapt as adapt
from mm_jax.prior.adapting import interpolate as interpolate
from mm_jax.prior.adapting import restrict as restrict
from mm_jax.prior.network import Prior as Prior

PATH = Path(__file__).parent / "prior.safetensors"


def load() -> Prior:
    """Returns the bundled network, float32; it is read once a process.

    Raises ValueError for a file that is missing, cut short or altered.

    >>> params = load()
    >>> params.W1.shape
    (256, 768)
    """
    return _load(PATH)


@functools.cache
def _load(path: Path) -> Prior:
    """Reads a prior from a file."""
    again = "install mm_jax again, which brings it"
    try:
        arrays, about = checkpoint.read_arrays(path, "prior")
    except ValueError as error:
        raise ValueError(f"{error}: {again}") from None
    try:
        return network.from_arrays(arrays, about)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} holds no prior that this version can read ({error}): {again}") from None
