"""The contract that every model keeps, and what is written once for all of them.

A model is a machine that reads words one token at a time and can be asked, at any moment, what comes next:

    state = start(params)                    before a word: nothing read but the `.` before it
    state = advance(params, state, token)    one token read; token 0, the `.`, ends the word and starts the next
    row   = logits(params, state)            float32 [vocab_size]: the logits of the next token
    rows  = unroll(params, tokens)           float32 [length + 1, vocab_size]: row t is what follows tokens[:t]

A state is a pytree of arrays of fixed shapes. There are two kinds of models:

    windowed    sees the last block_size tokens and nothing older. Its state is that window, int32 [block_size].
                Its file has `block_size(params)` and `logits(params, context)`; the rest follows.
    sequential  sees the whole word so far: a hidden vector, a cache of keys and values.
                Its file has `start`, `advance` (of tokens inside a word) and `logits`.

Both have a class of parameters, decorated with `mm_jax.pytree`, with a field `vocab`. The functions of a model are
those of the module its class stands in: adding a model is adding its file, and a class in a notebook is a model too.
What else a file may hold:

    unroll(params, tokens)     where all positions can be read at once; a 0 in `tokens` must start the next word, unless
    unroll_rows(params, tokens, dropout)    `unroll` of many rows, where that takes less time than `jax.vmap` of one
    packs(params)              False where `unroll` reads one word a row, and a 0 in `tokens` starts nothing
    max_length(params)         the longest word it can read, in characters; longer ones are refused
    validate(params)           ValueError for numbers in a loaded file that the shapes do not exclude
    pair_log_probs(params, contexts, targets), row_log_probs(params, contexts)    log p of single tokens, and of all,
                               after many contexts, where NumPy does it sooner than a compiled program
    init(key, vocab, ...)      new parameters, to be trained by gradient steps; or
    fit(words, vocab, ...)     parameters made by counting; and
    choose(folds, vocab, ...)  the options of `fit` that are best on held-out words

and, as plain data,

    RECIPES    how it is trained, by name, the default first: options of `mm_jax.Recipe`, and under "model" of `init`
    DROPS      which kinds of dropout its `unroll` knows: "tokens", "states", "edges"
    EFFORTS    at which of the command's efforts it is tried, and how: "quick", "normal" or "best", and for each of them
               options of its recipe and of `init` for a list like names.txt, and the sizes "from_words", "to_words"
    DEFAULTS   options of `fit` that the command sets otherwise
    RUNGS      the models it puts on the ladder, by title: options, and under "recipe" the name of one
    PICTURES   how it is drawn: functions of (params, ax), or names of those in `mm_jax.plotting`

All is written for one word; `jax.vmap` makes batches.
"""

import sys
from collections.abc import Iterable
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Float32, Int

from mm_jax.layers.dropout import Dropout
from mm_jax.pytrees import is_pytree

Params = Any  # an instance of a class decorated with `pytree`
State = Any  # a pytree of arrays; of a windowed model, the window: int32 [block_size]


def functions_of(params: Params) -> ModuleType:
    """The module of a model's functions; ValueError if `params` is not a model's parameters."""
    cls = type(params)
    module = sys.modules.get(cls.__module__)
    if not is_pytree(cls) or "vocab" not in cls.static_fields or not hasattr(module, "logits"):
        raise ValueError(
            f"{cls.__name__} is not a model: it takes a class decorated with mm_jax.pytree, with a field vocab, and "
            "logits(params, state) in the module where the class stands"
        )
    return module  # pyright: ignore[reportReturnType]


def block_size(params: Params) -> int | None:
    """How many tokens back a windowed model looks; None for a model that sees the whole word so far."""
    size_of = getattr(functions_of(params), "block_size", None)
    return None if size_of is None else size_of(params)


def max_length(params: Params) -> int | None:
    """The longest word that the model can read, in characters; None where there is no limit."""
    longest = getattr(functions_of(params), "max_length", None)
    return None if longest is None else longest(params)


def check_lengths(params: Params, words: Iterable[str]) -> None:
    """ValueError, naming it, for a word that is longer than the model can read."""
    if (limit := max_length(params)) is None:
        return
    if (word := next((word for word in words if len(word) > limit), None)) is not None:
        raise ValueError(
            f"{word!r} has {len(word)} characters, and this {type(params).__name__} reads {limit} at most: "
            "leave it out, or make the model with a larger max_length"
        )


def packs(params: Params) -> bool:
    """Whether `unroll` reads several words from one row of tokens, each 0 starting the next."""
    own = getattr(functions_of(params), "packs", None)
    return own is None or own(params)


def start(params: Params) -> State:
    """The state before a word; what `logits` then gives are the logits of its first character.

    >>> import mm_jax
    >>> start(mm_jax.mlp.init(jax.random.key(0), mm_jax.Vocab(".ab"), block_size=3)).tolist()
    [0, 0, 0]
    """
    size = block_size(params)
    return functions_of(params).start(params) if size is None else jnp.zeros(size, jnp.int32)


def advance(params: Params, state: State, token: Int[ArrayLike, ""]) -> State:
    """The state after one more token, of the same shapes; after token 0 it is the start of the next word.

    >>> import mm_jax
    >>> params = mm_jax.mlp.init(jax.random.key(0), mm_jax.Vocab(".ab"), block_size=3)
    >>> state = advance(params, start(params), jnp.int32(2))
    >>> state.tolist(), advance(params, state, jnp.int32(0)).tolist()
    ([0, 0, 2], [0, 0, 0])
    """
    token = jnp.asarray(token, jnp.int32)
    read = advance_inside(params, state, token)
    return jax.tree.map(lambda first, following: jnp.where(token == 0, first, following), start(params), read)


def advance_inside(params: Params, state: State, token: Int[Array, ""]) -> State:
    """`advance` for a token that is not 0: nothing is spent on starting anew."""
    if block_size(params) is None:
        return functions_of(params).advance(params, state, token)
    return jnp.append(state, jnp.asarray(token, jnp.int32))[1:]


def logits(params: Params, state: State) -> Float32[Array, " vocab_size"]:
    """The logits of the next token: of a windowed model, after a context; of a sequential one, after a state.

    Args:
      params: any model's parameters.
      state: what `start` and `advance` return. Of a windowed model any int [block_size], oldest token first, 0 before
        a word's start. Use `jax.vmap` for more than one.

    Returns:
      float32 [vocab_size]: unnormalised log probabilities.

    Raises:
      ValueError: `params` is not a model; a context has another length, another dtype, or (outside jit) a token that is
        not in the vocabulary.

    >>> import mm_jax
    >>> params = mm_jax.counts.fit(["ab"], mm_jax.Vocab(".ab"), smoothing=1.0)
    >>> jnp.exp(logits(params, [1])).tolist()
    [1.0, 1.0, 2.0]
    """
    module = functions_of(params)
    if (size := block_size(params)) is not None:
        state = _window(state, size, len(params.vocab))
    return module.logits(params, state)


def unroll(
    params: Params, tokens: Int[ArrayLike, " length"], dropout: Dropout | None = None
) -> Float32[Array, "length+1 vocab_size"]:
    """The logits at every position: row t is what the model predicts after tokens[:t].

    Args:
      params: any model's parameters.
      tokens: int [length], a word without its `.`, or several words with a 0 between them (see `packs`). Rows behind a
        word's last character are meaningless, unless a 0 stands there.
      dropout: what to leave out, in training; only for models whose file declares it in `DROPS`.

    Returns:
      float32 [length + 1, vocab_size].

    >>> import mm_jax
    >>> params = mm_jax.counts.fit(["ab"], mm_jax.Vocab(".ab"), smoothing=1.0)
    >>> jnp.exp(unroll(params, jnp.array([1, 0, 1]))).tolist()
    [[1.0, 2.0, 1.0], [1.0, 1.0, 2.0], [1.0, 2.0, 1.0], [1.0, 1.0, 2.0]]
    """
    module = functions_of(params)
    tokens = jnp.asarray(tokens, jnp.int32)
    if dropout is not None:
        return module.unroll(params, tokens, dropout)
    if hasattr(module, "unroll"):
        return module.unroll(params, tokens)
    if (size := block_size(params)) is not None:
        return jax.vmap(module.logits, (None, 0))(params, _windows(tokens, size))

    def read(state, token):
        return advance(params, state, token), state

    last, before = lax.scan(read, start(params), tokens)
    states = jax.tree.map(lambda early, late: jnp.concatenate([early, late[None]]), before, last)
    return jax.vmap(module.logits, (None, 0))(params, states)  # outside the scan: one product for all positions


def unroll_rows(
    params: Params, tokens: Int[Array, "batch length"], dropout: Dropout | None = None
) -> Float32[Array, "batch length+1 vocab_size"]:
    """`unroll` of many rows of tokens: the model's own where it has one; `dropout` has a key for each row.

    >>> import mm_jax
    >>> params = mm_jax.counts.fit(["ab"], mm_jax.Vocab(".ab"), smoothing=1.0)
    >>> unroll_rows(params, jnp.array([[1, 2], [2, 0]])).shape
    (2, 3, 3)
    """
    own = getattr(functions_of(params), "unroll_rows", None)
    return (own or jax.vmap(unroll, (None, 0, 0)))(params, tokens, dropout)


def _windows(tokens: Int[Array, " length"], size: int) -> Int[Array, "length+1 size"]:
    """The window before each position, with everything before the last 0 read as 0."""
    padded = jnp.concatenate([jnp.zeros(size, jnp.int32), tokens])
    windows = padded[jnp.arange(len(tokens) + 1)[:, None] + jnp.arange(size)[None, :]]
    return windows * lax.cumprod((windows != 0).astype(jnp.int32), axis=1, reverse=True) if size else windows


def _window(context: Any, size: int, vocab_size: int) -> Int[Array, " size"]:
    context = jnp.asarray(context)
    if context.shape != (size,) or not (size == 0 or jnp.issubdtype(context.dtype, jnp.integer)):
        raise ValueError(
            f"expected one context of {size} integer token(s), shape ({size},), got {context.dtype} of shape "
            f"{context.shape}: jax.vmap makes more of it"
        )
    known = isinstance(context, Tracer) or size == 0 or 0 <= context.min() <= context.max() < vocab_size
    if not known:
        raise ValueError(f"context {context.tolist()}: tokens run from 0 to {vocab_size - 1}")
    return context if size else context.astype(jnp.int32)


def num_params(params: Params) -> int:
    """How many numbers the model holds.

    >>> import mm_jax
    >>> num_params(mm_jax.bigram.init(jax.random.key(0), mm_jax.Vocab(".ab")))
    9
    """
    return sum(leaf.size for leaf in jax.tree.leaves(params))
