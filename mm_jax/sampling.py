"""New words from any model: ancestral sampling, many at once on the device.

A character is drawn by inverting the cumulative distribution: one uniform number each. Unlike the lecture, which draws
one name at a time with a host call per character, all names advance together and the loop runs compiled.
"""

import functools
import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float32, Int32, Key

from mm_jax.checks import as_set, random_key, whole_number
from mm_jax.models import contract
from mm_jax.models.contract import Params, State, block_size, checked, model_of
from mm_jax.vocab import decode_columns

MAX_LENGTH = 200  # characters, where no bound is given: an untrained model rarely ends a word
_SEGMENT = 32  # characters a compiled call
_FEWEST = 64  # words at once: fewer take as long, and each number of them a program
_BATCH = 2**15  # words at once: as many as stay in the cache
_BYTES = 2**24  # of the states and rows of logits of the words drawn at once: a CPU keeps so much near
_TABLE = 2**20  # probabilities: up to so many, the distribution after every context is computed once
_TRIANGLE = 256  # vocabulary size up to which a cumulative sum is a product with a triangular matrix


def sample(
    params: Params,
    key: Key[Array, ""],
    num_samples: int = 10,
    *,
    prefix: str = "",
    temperature: float = 1.0,
    top_k: int | None = None,
    max_length: int | None = None,
    exclude: Iterable[str] | None = None,
) -> list[str]:
    """Draws new words.

    Args:
      params: any model's parameters.
      key: the same key gives the same words, and the first words of a longer list.
      num_samples: how many.
      prefix: what every word begins with.
      temperature: divides the logits; 0 takes the likeliest character every time, and ignores the key.
      top_k: draws only among the k likeliest characters, the end included.
      max_length: the longest word, in characters, prefix included; None is 200, or what the model can read if that is
        less. A word that has not ended by then is cut there, and returned like the others.
      exclude: words not to return, such as the training list; others are drawn in their place, up to 100 for each one
        asked for. Where that is not enough, fewer are returned.

    Returns:
      A list of num_samples strings, without the final `.`.

    Raises:
      ValueError: a negative number or temperature; a key that is no random key; top_k or max_length below 1; max_length
        above what the model can read; a prefix longer than max_length or with a character the model does not know;
        parameters that hold nan.

    >>> from mm_jax.models import counts
    >>> from mm_jax.vocab import Vocab
    >>> params = counts.fit(["ab"], Vocab(".ab"))
    >>> sample(params, jax.random.key(0), 2)
    ['ab', 'ab']

    Source: makemore parts 1 and 2.
    """
    unwanted = as_set(() if exclude is None else exclude)
    options = Options(prefix, temperature, top_k, max_length)
    return search(params, key, num_samples, lambda word: word not in unwanted, options).words


class Drawn(NamedTuple):
    """Words that were accepted, and how many were drawn to find them."""

    words: list[str]
    tried: int


@dataclass(frozen=True)
class Options:
    """How a character is drawn and where a word begins and stops: the options of `sample`."""

    prefix: str = ""
    temperature: float = 1.0
    top_k: int | None = None
    max_length: int | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.temperature < float("inf"):
            raise ValueError(
                f"temperature is {self.temperature}: give 0 (the likeliest characters) or more; 1 is the model's own"
            )
        for name in ("top_k", "max_length"):
            if getattr(self, name) is not None:
                whole_number(name, getattr(self, name))


def search(
    params: Params,
    key: Key[Array, ""],
    num_samples: int,
    accept: Callable[[str], bool],
    options: Options,
    *,
    budget: int | None = None,
) -> Drawn:
    """Draws batches of words until `accept` took num_samples of them or `budget` (100 for each) were drawn.

    The other arguments and errors are those of `sample`. Fewer words come back where the budget was spent.
    """
    num_samples = whole_number("num_samples", num_samples, least=0)
    random_key("key", key)
    draw, most = _drawer(params, options)
    budget = 100 * num_samples if budget is None else budget
    words: list[str] = []
    tried = 0
    for attempt in itertools.count():
        missing, left = num_samples - len(words), budget - tried
        if missing <= 0 or left <= 0:
            break
        # Draws as many as the share accepted so far asks for.
        wanted = min(missing * (tried + 1) // (len(words) + 1) + 1 if tried else missing, left, most)
        for word in draw(key, attempt, wanted):
            tried += 1
            if len(words) < num_samples and accept(word):
                words.append(word)
    return Drawn(words, tried)


def _drawer(params: Params, options: Options) -> tuple[Callable[[Key[Array, ""], int, int], list[str]], int]:
    """Returns draw(key, attempt, n) -> n words, and how many it may draw at once; ValueError as `sample` says."""
    checked(params)
    max_length = _longest(params, options)
    start = params.vocab.encode(options.prefix)
    for leaf in jax.tree.leaves(params):
        if jnp.issubdtype(leaf.dtype, jnp.floating) and np.isnan(leaf).any():
            raise ValueError("the parameters hold nan: training diverged; use a lower learning rate")
    # Greedy, a temperature of 0, is top_k = 1: with one candidate the random number has no effect.
    temperature, top_k = (options.temperature, options.top_k) if options.temperature else (1.0, 1)
    # Smaller temperatures round to 0 as float32, and far larger ones to infinity: at these the draw is long settled.
    temperature = np.float32(np.clip(temperature, 1e-30, 1e30))
    limit = None if top_k is None else np.int32(min(top_k, len(params.vocab)))
    size, most = block_size(params), at_once(params)
    cells = None if size is None else len(params.vocab) ** (size + 1)
    lookup = _table(params, temperature, limit) if cells is not None and cells <= _TABLE else None

    def draw(key: Key[Array, ""], attempt: int, n: int) -> list[str]:
        step = max(1, (1 << (n - 1).bit_length()) // 8)  # few programs: an eighth of a power of two at a time
        width = max(min(_FEWEST, most), -(-n // step) * step)
        carry = _begun(params, np.pad(start.astype(np.int32), (0, -len(start) % 8)), np.int32(len(start)), width)
        segments = [np.tile(start[:, None], (1, width))]
        for first in range(0, max_length - len(start), _SEGMENT):
            carry, drawn = _segment(params, lookup, key, np.int32(attempt), np.int32(first), carry, temperature, limit)
            segments.append(np.asarray(drawn))
            if not np.asarray(carry[1]).any():
                break
        return decode_columns(np.concatenate(segments)[:max_length, :n], params.vocab.chars)

    return draw, most


def at_once(params: Params) -> int:
    """How many words are drawn at once: as many as stay in the cache, and fewer of a model with large states.

    >>> from mm_jax.models import counts
    >>> from mm_jax.vocab import Vocab
    >>> at_once(counts.fit(["ab"], Vocab(".ab")))
    32768
    """
    state = jax.eval_shape(contract.start, params)
    held = sum(leaf.size * leaf.dtype.itemsize for leaf in jax.tree.leaves(state)) + 16 * len(params.vocab)
    return max(1, min(_BATCH, _BYTES // held))


def _longest(params: Params, options: Options) -> int:
    """The longest word to draw, in characters; ValueError where model or prefix do not allow it."""
    limit = contract.max_length(params)
    if options.max_length is None:
        longest = MAX_LENGTH if limit is None else min(MAX_LENGTH, limit)
    elif limit is not None and options.max_length > limit:
        raise ValueError(f"max_length is {options.max_length}: this {type(params).__name__} reads {limit} at most")
    else:
        longest = options.max_length
    if len(options.prefix) > longest:
        raise ValueError(f"max_length is {longest}: give no less than the {len(options.prefix)} that the prefix has")
    return longest


@functools.partial(jax.jit, static_argnames="width")
def _begun(
    params: Params, tokens: Int32[Array | np.ndarray, " length"], count: Int32[Array | np.ndarray, ""], width: int
) -> tuple[State, Bool[Array, " width"]]:
    """The states of `width` words that begin with the first `count` tokens, and that all of them go on."""
    state = contract.start(params)
    if len(tokens):
        advance = model_of(params).advance  # no token of a prefix is 0
        state = lax.fori_loop(0, count, lambda t, state: advance(params, state, jnp.asarray(tokens)[t]), state)
    return jax.tree.map(lambda leaf: jnp.tile(leaf, (width, *(1,) * leaf.ndim)), state), jnp.ones(width, bool)


def _cdf(
    params: Params, state: State, temperature: Float32[Array, ""], top_k: Int32[Array, ""] | None
) -> Float32[Array, " vocab_size"]:
    """The cumulative distribution of the next token."""
    row = contract.logits(params, state)
    if top_k is not None:
        rank = jnp.argsort(jnp.argsort(-row))  # both stable: of equal logits the first is the likelier
        row = jnp.where(rank < top_k, row, -jnp.inf)
    # The largest is subtracted before the division: a low temperature would overflow it.
    p = jax.nn.softmax((row - row.max()) / temperature)
    if len(row) > _TRIANGLE:
        return jnp.cumsum(p)
    # Seven times faster than jnp.cumsum on a CPU. All entries are summed in one order: adding a 0 changes no bit.
    return jnp.matmul(p, jnp.tri(len(row)).T, precision="highest")


@jax.jit
def _table(params: Params, temperature, top_k) -> Float32[Array, "contexts vocab_size"]:
    """The cumulative distribution after each possible context; a context's row is its number in base vocab_size."""
    size, base = block_size(params) or 0, len(params.vocab)
    numbers = jnp.arange(base**size)
    contexts = jnp.stack(jnp.unravel_index(numbers, (base,) * size), -1) if size else jnp.zeros((1, 0), int)
    return jax.vmap(lambda context: _cdf(params, context.astype(jnp.int32), temperature, top_k))(contexts)


@jax.jit
def _segment(params: Params, table, key, attempt, first, carry, temperature, top_k):
    """Draws up to _SEGMENT more characters for every word; tokens int32 [_SEGMENT, words], 0 once a word has ended."""
    base, key = len(params.vocab), jax.random.fold_in(key, attempt)

    def distributions(states):
        if table is None:
            return jax.vmap(lambda state: _cdf(params, state, temperature, top_k))(states)
        index = jnp.zeros(len(states), jnp.int32)
        for i in range(states.shape[1]):
            index = index * base + states[:, i]
        return table[index]

    def body(carry):
        t, states, alive, drawn = carry
        cdf = distributions(states)
        uniform = jax.random.uniform(jax.random.fold_in(key, first + t), alive.shape)
        # Inversion: the first token whose cumulative probability exceeds the number, which is scaled to the last
        # entry, that rounding left a little off 1: a token of probability 0 is never the first.
        token = jnp.sum(cdf <= uniform[:, None] * cdf[:, -1:], axis=1, dtype=jnp.int32)
        token = jnp.where(alive, token, 0)
        # A word that has ended stays ended: its state is not read again.
        states = jax.vmap(model_of(params).advance, (None, 0, 0))(params, states, token)
        return t + 1, states, alive & (token != 0), drawn.at[t].set(token)

    states, alive = carry
    carry = (jnp.int32(0), states, alive, jnp.zeros((_SEGMENT, len(alive)), jnp.int32))
    _, states, alive, drawn = lax.while_loop(lambda s: (s[0] < _SEGMENT) & s[2].any(), body, carry)
    return (states, alive), drawn
