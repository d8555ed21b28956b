"""New words from any model: ancestral sampling, many at once on the device.

A character is drawn by inverting the cumulative distribution: one uniform number each. Unlike the lecture, which draws
one name at a time with a host call per character, all names advance together and the loop runs compiled.
"""

import itertools
from collections.abc import Callable, Collection
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float32, Int32, Key

from mm_jax.models import Params, block_size, logits

MAX_LENGTH = 200  # characters, where no bound is given: an untrained model rarely ends a word
_SEGMENT = 32  # characters a compiled call
_BATCH = 2**15  # words at once: as many as stay in the cache
_TABLE = 2**15  # contexts: up to so many, the distribution of every context is computed once


def sample(
    params: Params,
    key: Key[Array, ""],
    num_samples: int = 10,
    *,
    prefix: str = "",
    temperature: float = 1.0,
    top_k: int | None = None,
    max_length: int | None = None,
    exclude: Collection[str] | None = None,
) -> list[str]:
    """Draws new words.

    Args:
      params: any model's parameters.
      key: the same key gives the same words, and the first words of a longer list.
      num_samples: how many.
      prefix: what every word begins with.
      temperature: divides the logits; 0 takes the likeliest character every time, and ignores the key.
      top_k: draws only among the k likeliest characters, the end included.
      max_length: the longest word, in characters, prefix included (200 if None). A word that has not ended by then is
        cut there, and returned like the others.
      exclude: words not to return, such as the training list; others are drawn in their place, up to 100 for each one
        asked for. Where that is not enough, fewer are returned.

    Returns:
      A list of num_samples strings, without the final `.`.

    Raises:
      ValueError: a negative number or temperature; top_k or max_length below 1; a prefix longer than max_length or with
        a character the model does not know; parameters that hold nan.

    >>> from mm_jax.models import counts
    >>> from mm_jax.vocab import Vocab
    >>> params = counts.fit(["ab"], Vocab(".ab"))
    >>> sample(params, jax.random.key(0), 2)
    ['ab', 'ab']

    Source: makemore parts 1 and 2.
    """
    unwanted = frozenset(exclude or ())
    options = {"prefix": prefix, "temperature": temperature, "top_k": top_k, "max_length": max_length}
    return search(params, key, num_samples, lambda word: word not in unwanted, **options).words


class Found(NamedTuple):
    """Words that were accepted, and how many were drawn to find them."""

    words: list[str]
    tried: int


def search(
    params: Params,
    key: Key[Array, ""],
    num_samples: int,
    accept: Callable[[str], bool],
    *,
    budget: int | None = None,
    prefix: str = "",
    temperature: float = 1.0,
    top_k: int | None = None,
    max_length: int | None = None,
) -> Found:
    """Draws batches of words until `accept` took num_samples of them or `budget` (100 for each) were drawn.

    The other arguments and errors are those of `sample`. Fewer words come back where the budget was spent.
    """
    if num_samples < 0:
        raise ValueError(f"num_samples is {num_samples}: give 0 or more")
    draw = _drawer(params, prefix, temperature, top_k, max_length)
    budget = 100 * num_samples if budget is None else budget
    words: list[str] = []
    tried = 0
    for attempt in itertools.count():
        missing, left = num_samples - len(words), budget - tried
        if missing <= 0 or left <= 0:
            break
        # The rarer the accepted words have been, the more are drawn at once.
        wanted = min(missing * (tried + 1) // (len(words) + 1) + 1 if tried else missing, left, _BATCH)
        for word in draw(jax.random.fold_in(key, attempt), wanted):
            tried += 1
            if len(words) < num_samples and accept(word):
                words.append(word)
    return Found(words, tried)


def _drawer(
    params: Params, prefix: str, temperature: float, top_k: int | None, max_length: int | None
) -> Callable[[Key[Array, ""], int], list[str]]:
    """Checks what `sample` was given, and returns draw(key, n) -> n words."""
    max_length = MAX_LENGTH if max_length is None else max_length
    if not 0 <= temperature < float("inf"):
        raise ValueError(
            f"temperature is {temperature}: give 0 (the likeliest characters) or more; 1 is the model's own"
        )
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k is {top_k}: give 1 or more")
    if max_length < 1 or len(prefix) > max_length:
        raise ValueError(f"max_length is {max_length}: give 1 or more, and no less than the prefix has")
    start = params.vocab.encode(prefix)
    for leaf in jax.tree.leaves(params):
        if jnp.issubdtype(leaf.dtype, jnp.floating) and np.isnan(leaf).any():
            raise ValueError("the parameters hold nan: training diverged; use a lower learning rate")
    if temperature == 0:
        temperature, top_k = 1.0, 1  # one of one character is left: no number drawn can change it
    limit = None if top_k is None else jnp.int32(top_k)
    size = block_size(params)
    context = np.concatenate([np.zeros(size, np.int32), start])[len(start) :]
    n_tokens = len(params.vocab)
    lookup = _table(params, jnp.float32(temperature), limit) if n_tokens**size <= _TABLE else None

    def draw(key: Key[Array, ""], n: int) -> list[str]:
        step = max(1, (1 << (n - 1).bit_length()) // 8)  # few programs: an eighth of a power of two at a time
        width = -(-n // step) * step
        carry = (jnp.tile(jnp.asarray(context), (width, 1)), jnp.ones(width, bool))
        segments = [np.tile(start[:, None], (1, width))]
        for first in range(0, max_length - len(start), _SEGMENT):
            carry, drawn = _segment(params, lookup, key, jnp.int32(first), carry, jnp.float32(temperature), limit)
            segments.append(np.asarray(drawn))
            if not carry[1].any():
                break
        return _decode(np.concatenate(segments)[:max_length, :n], params.vocab.chars)

    return draw


def _cdf(
    params: Params,
    context: Int32[Array, " block_size"],
    temperature: Float32[Array, ""],
    top_k: Int32[Array, ""] | None,
) -> Float32[Array, " vocab_size"]:
    """The cumulative distribution of the next token."""
    row = logits(params, context)
    if top_k is not None:
        rank = jnp.argsort(jnp.argsort(-row))  # both stable: of equal logits the first is the likelier
        row = jnp.where(rank < top_k, row, -jnp.inf)
    # A running sum as one product with a triangle of ones: on the CPU seven times sooner than jnp.cumsum. Every entry
    # is added up in the same order, so a token of probability 0 adds exactly nothing.
    return jnp.matmul(jax.nn.softmax(row / temperature), jnp.tri(len(row)).T, precision="highest")


@jax.jit
def _table(params: Params, temperature, top_k) -> Float32[Array, "contexts vocab_size"]:
    """The cumulative distribution after each context there is, in the order of the contexts read as numbers."""
    size, base = block_size(params), len(params.vocab)
    every = jnp.stack(jnp.unravel_index(jnp.arange(base**size), (base,) * size), -1) if size else jnp.zeros((1, 0), int)
    return jax.vmap(lambda context: _cdf(params, context.astype(jnp.int32), temperature, top_k))(every)


@jax.jit
def _segment(params: Params, table, key, first, carry, temperature, top_k):
    """Draws up to _SEGMENT more characters for every word; tokens int32 [_SEGMENT, words], 0 once a word has ended."""
    size, base = block_size(params), len(params.vocab)

    def distributions(contexts):
        if table is None:
            return jax.vmap(lambda context: _cdf(params, context, temperature, top_k))(contexts)
        index = jnp.zeros(len(contexts), jnp.int32)
        for i in range(size):
            index = index * base + contexts[:, i]
        return table[index]

    def body(state):
        t, contexts, alive, drawn = state
        cdf = distributions(contexts)
        uniform = jax.random.uniform(jax.random.fold_in(key, first + t), alive.shape)
        # Inversion: the first token whose cumulative probability exceeds the number. Rounding leaves the last entry
        # a little off 1, so the number is scaled to it, and a token of probability 0 is never the first.
        token = jnp.sum(cdf <= uniform[:, None] * cdf[:, -1:], axis=1, dtype=jnp.int32)
        token = jnp.where(alive, token, 0)
        contexts = jnp.concatenate([contexts, token[:, None]], axis=1)[:, 1:]
        return t + 1, contexts, alive & (token != 0), drawn.at[t].set(token)

    contexts, alive = carry
    state = (jnp.int32(0), contexts, alive, jnp.zeros((_SEGMENT, len(alive)), jnp.int32))
    _, contexts, alive, drawn = lax.while_loop(lambda s: (s[0] < _SEGMENT) & s[2].any(), body, state)
    return (contexts, alive), drawn


def _decode(tokens: np.ndarray, chars: str) -> list[str]:
    """Words from tokens int [length, words], each up to its first 0, or whole where it has none."""
    rows = np.concatenate([tokens, np.zeros((1, tokens.shape[1]), tokens.dtype)]).T
    ends = (rows == 0).argmax(axis=1)
    kept = rows[np.arange(rows.shape[1]) <= ends[:, None]]
    points = np.array([ord(char) for char in chars], dtype="<u4")
    return points[kept].tobytes().decode("utf-32-le", "surrogatepass").split(".")[:-1]
