"""Samples new words from any model: ancestral sampling, character by character until the end token.

The lecture draws one name at a time, with a host call per character. Here batches of words are drawn by one compiled
loop, which stands in `mm_jax.drawing`.
"""

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Key

from mm_jax.checks import as_set, random_key, whole_number
from mm_jax.drawing import COLDEST, Drawer
from mm_jax.models import contract
from mm_jax.models.contract import Params, check_params
from mm_jax.streams import WordFile
from mm_jax.symbols import length

MAX_LENGTH = 200  # characters, where no bound is given: an untrained model rarely ends a word


def sample(
    params: Params,
    key: Key[Array, ""],
    num_samples: int = 10,
    *,
    prefix: str = "",
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    min_length: int = 1,
    max_length: int | None = None,
    exclude: Iterable[str] | None = None,
) -> list[str]:
    """Draws new words. `mm_jax.more` draws under more conditions.

    Args:
      params: any model's parameters.
      key: the same key gives the same words; with a larger num_samples, the same words first, as long as none is
        rejected.
      num_samples: number of words.
      prefix: beginning of every word.
      temperature: divides the logits; 0 takes the likeliest character every time, and ignores the key.
      top_k: draws only among the k likeliest symbols, the end included.
      top_p: draws only among the likeliest symbols that have this probability together, at the given temperature
        (nucleus sampling): a rare slip is ruled out, and what is common stays as likely as it is.
      min_length: shorter words are rejected, like those of `exclude`; 0 takes the empty word too.
      max_length: the longest word, in symbols, prefix included; None is 200, or the model's own limit if that is
        less. A longer word is cut there, and returned like the others.
      exclude: words to reject, such as the training list. Others are drawn in place of rejected words, up to 100 draws
        for each word asked for; if that is not enough, fewer words are returned.

    Returns:
      A list of num_samples strings, without the final `.`.

    Raises:
      ValueError: a negative number, length or temperature; a key that is no random key; top_k or max_length below 1;
        a top_p that is not above 0 and at most 1;
        max_length above the model's limit; a prefix longer than max_length or with a character the model does not
        know; parameters that hold nan.

    >>> from mm_jax.models import counts
    >>> from mm_jax.vocab import Vocab
    >>> params = counts.fit(["ab"], Vocab(".ab"))
    >>> sample(params, jax.random.key(0), 2)
    ['ab', 'ab']

    Source: makemore parts 1 and 2; of top_p Holtzman et al. (2020), The curious case of neural text degeneration.
    """
    rejected = as_set(() if exclude is None else exclude)
    least = whole_number("min_length", min_length, least=0)
    options = SamplingOptions(prefix, temperature, top_k, top_p, max_length)

    def accept(words: Sequence[str]) -> Iterator[bool]:
        known = rejected.among(words) if isinstance(rejected, WordFile) else rejected
        return (length(word, params.vocab.units) >= least and word not in known for word in words)

    return search(params, key, num_samples, accept, options).words


class Samples(NamedTuple):
    """The accepted words, the number of words drawn to find them, and why others were rejected where that is known."""

    words: list[str]
    tried: int
    rejected: Mapping[str, int] = MappingProxyType({})


@dataclass(frozen=True)
class SamplingOptions:
    """The options of `sample` that shape a word: its prefix, temperature, top_k, top_p and max_length."""

    prefix: str = ""
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    max_length: int | None = None

    @property
    def greedy(self) -> bool:
        """Returns True if every draw is the same word."""
        return self.temperature < COLDEST or self.top_k == 1

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < float("inf"):
            raise ValueError(
                f"temperature is {self.temperature}: give 0 (the likeliest characters) or more; 1 is the model's own"
            )
        if self.top_p is not None and not 0 < self.top_p <= 1:
            raise ValueError(f"top_p is {self.top_p}: give a probability above 0; 1 leaves no symbol out")
        for name in ("top_k", "max_length"):
            if getattr(self, name) is not None:
                whole_number(name, getattr(self, name))


def search(
    params: Params,
    key: Key[Array, ""],
    num_samples: int,
    accept: Callable[[Sequence[str]], Iterable[bool]],
    options: SamplingOptions,
    *,
    budget: int | None = None,
) -> Samples:
    """Draws words until `accept` returned True for num_samples of them, or `budget` words were drawn.

    Rejection sampling. `accept` is given the words of a batch, and returns for each whether it is accepted; it is not
    asked beyond the last that is needed. The default budget is 100 draws for each word asked for; fewer words are
    returned when it is spent. The other arguments and errors are those of `sample`.
    """
    num_samples = whole_number("num_samples", num_samples, least=0)
    random_key("key", key)
    check_params(params)
    max_length = _max_length(params, options)
    prefix = params.vocab.encode(options.prefix)
    _check_nan(params)
    drawer = Drawer(params, prefix, options.temperature, options.top_k, options.top_p, max_length)
    budget = 100 * num_samples if budget is None else budget
    words: list[str] = []
    tried = 0
    for batch in itertools.count():
        missing, left = num_samples - len(words), budget - tried
        if missing <= 0 or left <= 0:
            break
        # Batch size = words missing / acceptance rate so far.
        size = missing * (tried + 1) // (len(words) + 1) + 1 if tried else missing
        size = min(size, left, drawer.batch_size)
        drawn = drawer.draw(key, batch, size)
        tried += size
        accepted = itertools.compress(drawn, accept(drawn))
        words += itertools.islice(accepted, missing)
    return Samples(words, tried)


def _max_length(params: Params, options: SamplingOptions) -> int:
    """Returns the longest word to draw, in characters; ValueError where the model or the prefix does not allow it."""
    limit = contract.max_length(params)
    if options.max_length is None:
        longest = MAX_LENGTH if limit is None else min(MAX_LENGTH, limit)
    elif limit is not None and options.max_length > limit:
        raise ValueError(f"max_length is {options.max_length}: this {type(params).__name__} reads {limit} at most")
    else:
        longest = options.max_length
    if (size := length(options.prefix, params.vocab.units)) > longest:
        raise ValueError(f"max_length is {longest}: give no less than the {size} that the prefix has")
    return longest


def _check_nan(params: Params) -> None:
    """Raises ValueError for parameters that hold nan."""
    for leaf in jax.tree.leaves(params):
        if jnp.issubdtype(leaf.dtype, jnp.floating) and np.isnan(leaf).any():
            raise ValueError("the parameters hold nan: training diverged; use a lower learning rate")
