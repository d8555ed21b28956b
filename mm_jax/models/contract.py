"""The contract that every model keeps, and the typed record that says which functions keep it.

A model is a machine that reads words one token at a time and can be asked, at any moment, what comes next:

    state = start(params)                    before a word: nothing read but the `.` before it
    state = advance(params, state, token)    one token read; token 0, the `.`, ends the word and starts the next
    row   = logits(params, state)            float32 [vocab_size]: the logits of the next token
    rows  = unroll(params, tokens)           float32 [length + 1, vocab_size]: row t is what follows tokens[:t]

A state is a pytree of arrays of fixed shapes. There are two kinds of models. Each registers its class of parameters,
which `mm_jax.pytree` decorates and which has a field `vocab`, with the functions that are its own:

    mm_jax.windowed(MLP, block_size=block_size, logits=logits)
        sees the last block_size tokens and nothing older: its state is that window, int32 [block_size].
    mm_jax.sequential(GRU, start=start, advance=advance, logits=logits)
        sees the whole word so far: its state is a hidden vector, a cache of keys and values. Its `advance` reads tokens
        inside a word alone.

Either returns a `Model`, a record with every function filled in, and the verbs of this package look it up by
`type(params)`: `logits(params, state)` is `model_of(params).logits(params, state)` with its arguments checked. A class
in a notebook is a model too; a class defined again is a new model. All functions are written for one word, and
`jax.vmap` makes batches, unless a model has an `unroll_rows` of its own.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Float32, Int

from mm_jax.layers import unrolling
from mm_jax.layers.dropout import Dropout
from mm_jax.pytrees import check_arrays, is_pytree
from mm_jax.vocab import Vocab

if TYPE_CHECKING:

    class Params(Protocol):
        """An instance of a registered class of parameters."""

        @property
        def vocab(self) -> Vocab:
            """Its characters."""
            ...
else:
    Params = Any

P = TypeVar("P", bound=Params)
State = Any  # a pytree of arrays; of a windowed model, the window: int32 [block_size]


@dataclass(frozen=True)
class NamedRecipe:
    """A named way to make and train a model, as plain data; made for a list as long as names.txt.

    Args:
      training: options of `mm_jax.Recipe`, optimizer and decay by name; none for a model made by counting.
      model: options of the model's `init` or `fit`.
      efforts: the efforts of `mm-jax train` that try the model so.
      words: the shortest and the longest list that they try it on, in words; None is any.
      rung: its title on the ladder of `mm-jax compare`; empty where it does not stand there.
    """

    training: Mapping[str, Any] = field(default_factory=dict)
    model: Mapping[str, Any] = field(default_factory=dict)
    efforts: tuple[str, ...] = ()
    words: tuple[int, int | None] = (1, None)
    rung: str = ""


def _no_limit(params: Any) -> None:
    """For models that see the whole word, or read words of any length."""
    return None


def _true(params: Any) -> bool:
    return True


def _nothing_to_refuse(params: Any) -> None:
    """The shapes exclude all that is wrong."""


def _no_members(params: Any) -> tuple[Any, ...]:
    return ()


def num_params(params: Any) -> int:
    """Counts the numbers that a model holds.

    >>> import mm_jax
    >>> num_params(mm_jax.bigram.init(jax.random.key(0), mm_jax.Vocab(".ab")))
    9
    """
    return sum(leaf.size for leaf in jax.tree.leaves(params))


@dataclass(frozen=True, kw_only=True)
class Model(Generic[P]):
    """One kind of model: its class, its functions, and plain data about it. Made by `windowed` and `sequential`.

    The contract, of tokens inside a word (`mm_jax.advance` adds what token 0 does):
      cls: the class of parameters.
      start: (params) -> state.
      advance: (params, state, token) -> state; token is not 0.
      logits: (params, state) -> float32 [vocab_size].
      unroll: (params, int32 [length], Dropout or None) -> float32 [length + 1, vocab_size]. A 0 among the tokens starts
        the next word, unless `packs` says no.
      unroll_rows: (params, int32 [batch, length], Dropout with a key for each row, or None) -> float32 [batch,
        length + 1, vocab_size].

    What it can read:
      block_size: (params) -> the tokens of a window, or None for a model that sees the whole word so far.
      max_length: (params) -> the characters of the longest word, or None where there is no limit.
      packs: (params) -> whether `unroll` reads several words from one row, each 0 starting the next.
      validate: (params) -> None; ValueError for numbers in a loaded file that the shapes do not exclude.
      drops: the kinds of dropout that `unroll` applies: "tokens", "states", "edges".

    Many contexts at once, on the host, of models with a window:
      context_log_probs: (params, int [contexts, block_size]) -> log p of every token, float32 [contexts, vocab_size].
      pair_log_probs: (params, int [pairs, block_size], int [pairs]) -> log p of one token after each context, float32
        [pairs]; None where picking it from `context_log_probs` is as quick.
      members: (params) -> the models it combines, such as those of a mixture; () for all others.
      combine: (params, log p of each member, float32 [...]) -> log p, float32 [...].

    How it is made:
      init: (key, vocab, ...) -> new parameters, to be trained by gradient steps.
      fit: (words, vocab, ...) -> parameters made by counting.
      choose: (folds, vocab, ...) -> the options of `fit` that are best on held-out words, and the losses.
      recipes: how it is made and trained, by name, the default first.

    And:
      name: what `mm-jax train --model` calls it.
      num_entries: (params) -> how many numbers or table entries it holds.
      pictures: how it is drawn: functions of (params, ax), or names of those in `mm_jax.plotting`.
    """

    cls: type[P]
    name: str
    start: Callable[[P], State]
    advance: Callable[[P, State, Array], State]
    logits: Callable[[P, State], Array]
    unroll: Callable[[P, Array, Dropout | None], Array]
    unroll_rows: Callable[[P, Array, Dropout | None], Array]
    block_size: Callable[[P], int | None]
    context_log_probs: Callable[[P, np.ndarray], np.ndarray]
    pair_log_probs: Callable[[P, np.ndarray, np.ndarray], np.ndarray] | None = None
    max_length: Callable[[P], int | None] = _no_limit
    packs: Callable[[P], bool] = _true
    validate: Callable[[P], None] = _nothing_to_refuse
    members: Callable[[P], tuple[Any, ...]] = _no_members
    combine: Callable[[P, Sequence[np.ndarray]], np.ndarray] | None = None
    init: Callable[..., P] | None = None
    fit: Callable[..., P] | None = None
    choose: Callable[..., tuple[dict[str, Any], dict[str, float]]] | None = None
    num_entries: Callable[[P], int] = num_params
    recipes: Mapping[str, NamedRecipe] = field(default_factory=dict)
    drops: tuple[str, ...] = ()
    pictures: tuple[Any, ...] = ()


_MODELS: dict[type, Model] = {}


def windowed(
    cls: type[P],
    *,
    block_size: Callable[[P], int],
    logits: Callable[[P, Array], Array],
    context_log_probs: Callable[[P, np.ndarray], np.ndarray] | None = None,
    name: str | None = None,
    **others: Any,
) -> Model[P]:
    """Registers a class of parameters as a model that sees the last block_size tokens.

    Args:
      cls: a class that `mm_jax.pytree` decorates, with a field `vocab`.
      block_size: (params) -> the number of tokens in a window.
      logits: (params, window int32 [block_size], oldest token first, 0 before a word's start) -> float32 [vocab_size].
      context_log_probs: where many contexts take less time than `logits` under `jax.vmap`.
      name: what the command calls it; the name of the class in small letters where it is None.
      others: further fields of `Model`: init, fit, recipes, validate, pictures, ...

    Returns the record, with every function filled in.

    Raises ValueError for a class that is no such class; TypeError for a field that `Model` does not have.

    >>> import mm_jax
    >>> @mm_jax.pytree
    ... class Biased:
    ...     b: jax.Array
    ...     vocab: mm_jax.Vocab
    >>> model = windowed(Biased, block_size=lambda params: 0, logits=lambda params, context: params.b)
    >>> unroll(Biased(b=jnp.zeros(3), vocab=mm_jax.Vocab(".ab")), jnp.array([1])).shape
    (2, 3)
    """

    def start(params: P) -> Array:
        return jnp.zeros(block_size(params), jnp.int32)

    unroll = unrolling.without_dropout(unrolling.sliding(block_size, logits))
    return _register(
        Model(
            cls=cls,
            name=name or cls.__name__.lower(),
            start=start,
            advance=unrolling.slide,
            logits=logits,
            unroll=unroll,
            unroll_rows=jax.vmap(unroll, (None, 0, 0)),
            block_size=block_size,
            context_log_probs=context_log_probs or unrolling.many_contexts(logits),
            **others,
        )
    )


def sequential(
    cls: type[P],
    *,
    start: Callable[[P], State],
    advance: Callable[[P, State, Array], State],
    logits: Callable[[P, State], Array],
    unroll: Callable[..., Array] | None = None,
    unroll_rows: Callable[..., Array] | None = None,
    block_size: Callable[[P], int | None] = _no_limit,
    context_log_probs: Callable[[P, np.ndarray], np.ndarray] | None = None,
    drops: tuple[str, ...] = (),
    name: str | None = None,
    **others: Any,
) -> Model[P]:
    """Registers a class of parameters as a model that sees the whole word so far.

    Args:
      cls: a class that `mm_jax.pytree` decorates, with a field `vocab`.
      start: (params) -> state before a word.
      advance: (params, state, token) -> state; the token is never 0.
      logits: (params, state) -> float32 [vocab_size].
      unroll: (params, tokens int32 [length]) -> float32 [length + 1, vocab_size], where all positions can be computed
        at once; `jax.lax.scan` over the three functions where it is None. With `drops` it also takes a Dropout.
      unroll_rows: the same for int32 [batch, length], where that takes less time than `jax.vmap` of `unroll`.
      block_size: for a model that may have a window after all, as a mixture of windowed models has; its state then is
        that window.
      drops: the kinds of dropout that `unroll` applies.
      context_log_probs, name, others: as for `windowed`.

    Returns and raises as `windowed` does.

    >>> import mm_jax
    >>> @mm_jax.pytree
    ... class Echo:
    ...     W: jax.Array
    ...     vocab: mm_jax.Vocab
    >>> model = sequential(
    ...     Echo,
    ...     start=lambda params: jnp.zeros(3),
    ...     advance=lambda params, state, token: 0.5 * state + params.W[token],
    ...     logits=lambda params, state: state,
    ... )
    >>> unroll_rows(Echo(W=jnp.eye(3), vocab=mm_jax.Vocab(".ab")), jnp.array([[1, 2]])).shape
    (1, 3, 3)
    """
    if unroll is None:
        own = unroll_rows and unrolling.of_one_row(unroll_rows)
        unroll = own or unrolling.scanned(start, unrolling.restarting(start, advance), logits)
    if not drops:
        unroll, unroll_rows = unrolling.without_dropout(unroll), unroll_rows and unrolling.without_dropout(unroll_rows)
    return _register(
        Model(
            cls=cls,
            name=name or cls.__name__.lower(),
            start=start,
            advance=advance,
            logits=logits,
            unroll=unroll,
            unroll_rows=unroll_rows or jax.vmap(unroll, (None, 0, 0)),
            block_size=block_size,
            context_log_probs=context_log_probs or unrolling.many_contexts(logits),
            drops=drops,
            **others,
        )
    )


def _register(model: Model[P]) -> Model[P]:
    cls = model.cls
    if not is_pytree(cls) or "vocab" not in cls.static_fields:  # pyright: ignore[reportAttributeAccessIssue]
        raise ValueError(f"{cls.__name__} cannot hold a model: decorate it with mm_jax.pytree, give it a field vocab")
    if cls in _MODELS:
        jax.clear_caches()  # compiled programs hold the functions registered before
    _MODELS[cls] = model
    return model


def model_of(params: P) -> Model[P]:
    """Returns the record of a model's class; ValueError, with the lines that register it, where there is none."""
    cls = type(params)
    if (model := _MODELS.get(cls)) is None:
        raise ValueError(
            f"{cls.__name__} is not a model: register it once, behind its functions, with "
            f"mm_jax.windowed({cls.__name__}, block_size=block_size, logits=logits) or with "
            f"mm_jax.sequential({cls.__name__}, start=start, advance=advance, logits=logits)"
        )
    return model


def checked(params: P) -> Model[P]:
    """Returns the record of a model whose arrays can be used; ValueError as `model_of` and `check_arrays` say."""
    model = model_of(params)
    check_arrays(params)
    return model


def is_model(params: Any) -> bool:
    """Returns whether this is an instance of a registered class."""
    return type(params) in _MODELS


def registered() -> list[Model]:
    """Returns all records, in the order in which they were registered."""
    return list(_MODELS.values())


def block_size(params: Params) -> int | None:
    """Returns how many tokens back a windowed model looks; None for a model that sees the whole word so far."""
    return model_of(params).block_size(params)


def max_length(params: Params) -> int | None:
    """Returns the longest word that the model can read, in characters; None where there is no limit."""
    return model_of(params).max_length(params)


def check_lengths(params: Params, words: Iterable[str]) -> None:
    """Raises ValueError, naming it, for a word that is longer than the model can read."""
    if (limit := max_length(params)) is None:
        return
    if (word := next((word for word in words if len(word) > limit), None)) is not None:
        raise ValueError(
            f"{word!r} has {len(word)} characters, and this {type(params).__name__} reads {limit} at most: "
            "leave it out, or make the model with a larger max_length"
        )


def start(params: Params) -> State:
    """Returns the state before a word; what `logits` then gives are the logits of its first character.

    >>> import mm_jax
    >>> start(mm_jax.mlp.init(jax.random.key(0), mm_jax.Vocab(".ab"), block_size=3)).tolist()
    [0, 0, 0]
    """
    return model_of(params).start(params)


def advance(params: Params, state: State, token: Int[ArrayLike, ""]) -> State:
    """Returns the state after one more token, of the same shapes; after token 0 it is the start of the next word.

    >>> import mm_jax
    >>> params = mm_jax.mlp.init(jax.random.key(0), mm_jax.Vocab(".ab"), block_size=3)
    >>> state = advance(params, start(params), jnp.int32(2))
    >>> state.tolist(), advance(params, state, jnp.int32(0)).tolist()
    ([0, 0, 2], [0, 0, 0])
    """
    model = model_of(params)
    return unrolling.restarting(model.start, model.advance)(params, state, jnp.asarray(token, jnp.int32))


def logits(params: Params, state: State) -> Float32[Array, " vocab_size"]:
    """Returns the logits of the next token: of a windowed model, after a context; of a sequential one, after a state.

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
    model = model_of(params)
    if (size := model.block_size(params)) is not None:
        state = _window(state, size, len(params.vocab))
    return model.logits(params, state)


def unroll(
    params: Params, tokens: Int[ArrayLike, " length"], dropout: Dropout | None = None
) -> Float32[Array, "length+1 vocab_size"]:
    """Returns the logits at every position: row t is what the model predicts after tokens[:t].

    Args:
      params: any model's parameters.
      tokens: int [length], a word without its `.`, or several words with a 0 between them (where the model `packs`).
        Rows behind a word's last character are meaningless, unless a 0 stands there.
      dropout: what to leave out, in training; only of the kinds that the model's record names in `drops`.

    Returns:
      float32 [length + 1, vocab_size].

    >>> import mm_jax
    >>> params = mm_jax.counts.fit(["ab"], mm_jax.Vocab(".ab"), smoothing=1.0)
    >>> jnp.exp(unroll(params, jnp.array([1, 0, 1]))).tolist()
    [[1.0, 2.0, 1.0], [1.0, 1.0, 2.0], [1.0, 2.0, 1.0], [1.0, 1.0, 2.0]]
    """
    return model_of(params).unroll(params, jnp.asarray(tokens, jnp.int32), dropout)


def unroll_rows(
    params: Params, tokens: Int[Array, "batch length"], dropout: Dropout | None = None
) -> Float32[Array, "batch length+1 vocab_size"]:
    """Returns `unroll` of many rows of tokens; `dropout` has a key for each row.

    >>> import mm_jax
    >>> params = mm_jax.counts.fit(["ab"], mm_jax.Vocab(".ab"), smoothing=1.0)
    >>> unroll_rows(params, jnp.array([[1, 2], [2, 0]])).shape
    (2, 3, 3)
    """
    return model_of(params).unroll_rows(params, tokens, dropout)


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
