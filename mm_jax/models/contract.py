"""The contract of all models, and the typed record of the functions that keep it.

A model reads a word one token at a time, and predicts the next token after each:

    state = start(params)                    before a word
    state = advance(params, state, token)    after one more token; token 0, the `.`, ends a word and starts the next
    row   = logits(params, state)            float32 [vocab_size]: the logits of the next token
    rows  = unroll(params, tokens)           float32 [length + 1, vocab_size]: row t holds the logits after tokens[:t]

A state is a pytree of arrays of fixed shapes. There are two kinds of models:

    windowed      sees the last block_size tokens: its state is that window, int32 [block_size]
    sequential    sees the whole word so far: its state is a hidden vector, or a cache of keys and values

A model is a class of parameters, decorated by `mm_jax.pytree` and with a field `vocab`, and its registered functions:

    mm_jax.windowed(MLP, block_size=block_size, logits=logits)
    mm_jax.sequential(GRU, start=start, advance=advance, logits=logits)

Both calls fill in all other functions and keep the record, a `Model`, by class. The functions below look it up:
`logits(params, state)` checks its arguments and calls `model_of(params).logits(params, state)`. A class in a notebook
is a model too. All functions are written for one word; `jax.vmap` makes batches, unless there is an `unroll_rows`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float32, Int

from mm_jax.checks import no_model
from mm_jax.layers import unrolling
from mm_jax.layers.dropout import Dropout
from mm_jax.pytrees import check_arrays, is_pytree
from mm_jax.streams import sizes_of
from mm_jax.symbols import lengths
from mm_jax.vocab import Vocab, vocabulary

if TYPE_CHECKING:

    class Params(Protocol):
        """An instance of a registered class."""

        @property
        def vocab(self) -> Vocab:
            """Returns its characters."""
            ...
else:
    Params = Any

P = TypeVar("P", bound=Params)
State = Any  # a pytree of arrays; of a windowed model, the window: int32 [block_size]


@dataclass(frozen=True)
class NamedRecipe:
    """Options to make and train a model, as plain data, tuned for a list as long as names.txt.

    Args:
      training: options of `mm_jax.Recipe`, optimizer and decay by name; empty for a model made by counting.
      model: options of the model's `init` or `fit`.
      efforts: the efforts of `mm-jax train` that use the recipe.
      fewest_words: the shortest list for which they use it.
      rung: title in the table of `mm-jax compare`; empty to leave it out there.
    """

    training: Mapping[str, Any] = field(default_factory=dict)
    model: Mapping[str, Any] = field(default_factory=dict)
    efforts: tuple[str, ...] = ()
    fewest_words: int = 1
    rung: str = ""


def num_params(params: Any) -> int:
    """Counts the numbers that a model holds.

    >>> import mm_jax
    >>> num_params(mm_jax.bigram.init(jax.random.key(0), mm_jax.Vocab(".ab")))
    9
    """
    return sum(leaf.size for leaf in jax.tree.leaves(params))


@dataclass(frozen=True, kw_only=True)
class Model(Generic[P]):
    """The record of one kind of model: its class, its functions, plain data. Made by `windowed` and `sequential`.

    Names:
      cls: the class of parameters.
      name: its name for `mm-jax train --model`.

    The contract:
      start: (params) -> state.
      advance: (params, state, token) -> state; the token is never 0 (`mm_jax.advance` handles 0).
      logits: (params, state) -> float32 [vocab_size].
      unroll: (params, int32 [length], Dropout or None) -> float32 [length + 1, vocab_size].
      unroll_rows: (params, int32 [batch, length], Dropout with a key for each row, or None) -> float32 [batch,
        length + 1, vocab_size].
      states: (params, int32 [batch, length], Dropout or None) -> what `logits` reads at every position, a pytree of
        arrays [batch, length + 1, ...] (`models.blocks`); None where a model does not compute it.
      drops: the kinds of dropout that `unroll` applies: "tokens", "states", "edges".

    Limits:
      block_size: (params) -> the size of the window; None for a model that sees the whole word so far.
      max_length: (params) -> the longest word it can read, in characters; None is no limit.
      packs: (params) -> True if `unroll` reads several words in one row, with a 0 between them.
      validate: (params) -> None; raises ValueError for wrong numbers in a loaded file that have the right shapes.

    Many contexts at once, on the host:
      context_log_probs: (params, int [contexts, block_size]) -> log p of every token, float32 [contexts, vocab_size].
      pair_log_probs: (params, int [pairs, block_size], int [pairs]) -> log p of one token after each context, float32
        [pairs]; None if indexing `context_log_probs` is as fast.
      draw: (params, numpy Generator, number, longest) -> tokens of words, int32 [longest, number], drawn without a row
        of the vocabulary; None where a model cannot.

    Combinations of models, such as a mixture:
      members: (params) -> the models that it combines; () for all others.
      combine: (params, log p of each member, float32 [...]) -> its log p, float32 [...]; None for all others.

    Making it:
      init: (key, vocab, ...) -> new parameters, to be trained by gradient steps.
      fit: (words, vocab, ...) -> parameters made by counting.
      choose: (folds, vocab, ...) -> the options of `fit` with the lowest loss on held-out words, and all losses.
      recipes: by name, the default first.
      nanoseconds: of CPU that a training step takes for one number of the model at one position; estimates how long a
        recipe takes.

    Showing it:
      num_entries: (params) -> the number of parameters or table entries.
      pictures: functions of (params, ax), or names of functions in `mm_jax.plotting`.
    """

    cls: type[P]
    name: str
    start: Callable[[P], State]
    advance: Callable[[P, State, Array], State]
    logits: Callable[[P, State], Array]
    unroll: Callable[[P, Array, Dropout | None], Array]
    unroll_rows: Callable[[P, Array, Dropout | None], Array]
    states: Callable[[P, Array, Dropout | None], State] | None = None
    drops: tuple[str, ...] = ()
    block_size: Callable[[P], int | None]
    max_length: Callable[[P], int | None] = lambda params: None
    packs: Callable[[P], bool] = lambda params: True
    validate: Callable[[P], None] = lambda params: None
    context_log_probs: Callable[[P, np.ndarray], np.ndarray]
    pair_log_probs: Callable[[P, np.ndarray, np.ndarray], np.ndarray] | None = None
    draw: Callable[[P, np.random.Generator, int, int], np.ndarray] | None = None
    members: Callable[[P], tuple[Any, ...]] = lambda params: ()
    combine: Callable[[P, Sequence[np.ndarray]], np.ndarray] | None = None
    init: Callable[..., P] | None = None
    fit: Callable[..., P] | None = None
    choose: Callable[..., tuple[dict[str, Any], dict[str, float]]] | None = None
    recipes: Mapping[str, NamedRecipe] = field(default_factory=dict)
    nanoseconds: float = 0.2
    num_entries: Callable[[P], int] = num_params
    pictures: tuple[Any, ...] = ()


_MODELS: dict[type, Model] = {}


def windowed(
    cls: type[P],
    *,
    block_size: Callable[[P], int],
    logits: Callable[[P, Array], Array],
    unroll: Callable[..., Array] | None = None,
    drops: tuple[str, ...] = (),
    **others: Any,
) -> Model[P]:
    """Registers a model that sees the last block_size tokens, and returns its record.

    Args:
      cls: a class decorated by `mm_jax.pytree`, with a field `vocab`.
      block_size: (params) -> the size of the window.
      logits: (params, window) -> float32 [vocab_size]. The window is int32 [block_size], oldest token first, 0 before a
        word's start.
      unroll, drops: as for `sequential`; None computes each window by itself.
      others: other fields of `Model`: name (default: the class in lower case), init, fit, recipes, validate, pictures,
        context_log_probs (default: a compiled `jax.vmap` of `logits`), ...

    Raises ValueError for a class that is not decorated or has no field `vocab`, TypeError for an unknown field.

    >>> import mm_jax
    >>> @mm_jax.pytree
    ... class Biased:
    ...     b: jax.Array
    ...     vocab: mm_jax.Vocab
    >>> model = windowed(Biased, block_size=lambda params: 0, logits=lambda params, context: params.b)
    >>> jax.jit(unroll)(Biased(b=jnp.zeros(3), vocab=mm_jax.Vocab(".ab")), jnp.array([1])).shape
    (2, 3)
    """
    unroll = unroll or unrolling.sliding(block_size, logits)
    unroll = unroll if drops else unrolling.without_dropout(unroll)
    states = None if drops else unrolling.without_dropout(unrolling.all_windows(block_size))

    def start(params: P) -> Array:
        return jnp.zeros(block_size(params), jnp.int32)

    own = {"start": start, "advance": unrolling.slide, "logits": logits, "block_size": block_size, "drops": drops}
    return _register(cls, unroll=unroll, states=states, **own, **others)


def sequential(
    cls: type[P],
    *,
    start: Callable[[P], State],
    advance: Callable[[P, State, Array], State],
    logits: Callable[[P, State], Array],
    unroll: Callable[..., Array] | None = None,
    unroll_rows: Callable[..., Array] | None = None,
    states: Callable[..., State] | None = None,
    drops: tuple[str, ...] = (),
    block_size: Callable[[P], int | None] = lambda params: None,
    **others: Any,
) -> Model[P]:
    """Registers a model that sees the whole word so far, and returns its record.

    Args:
      cls: a class decorated by `mm_jax.pytree`, with a field `vocab`.
      start: (params) -> the state before a word.
      advance: (params, state, token) -> the next state; the token is never 0.
      logits: (params, state) -> float32 [vocab_size].
      unroll: (params, tokens int32 [length]) -> float32 [length + 1, vocab_size], for a model that computes all
        positions at once; with `drops` it also takes a Dropout. None scans the three functions above.
      unroll_rows: the same for int32 [batch, length], for a model that does this faster than `jax.vmap` of `unroll`.
      states: (params, int32 [batch, length]) -> the states at all positions, from which `unroll_rows` then follows.
      drops: the kinds of dropout that `unroll` applies.
      block_size: for a model that may be windowed after all, such as a mixture; its state then is the window.
      others: as for `windowed`.

    Raises as `windowed` does.

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
    >>> jax.jit(unroll_rows)(Echo(W=jnp.eye(3), vocab=mm_jax.Vocab(".ab")), jnp.array([[1, 2]])).shape
    (1, 3, 3)
    """
    if states is not None and unroll_rows is None:
        unroll_rows = unrolling.of_states(states, logits)
    if unroll is None:
        one_row = unroll_rows and unrolling.of_one_row(unroll_rows)
        unroll = one_row or unrolling.scanned(start, unrolling.restarting(start, advance), logits)
    if not drops:
        unroll, unroll_rows = unrolling.without_dropout(unroll), unroll_rows and unrolling.without_dropout(unroll_rows)
        states = states and unrolling.without_dropout(states)
    own = {"start": start, "advance": advance, "logits": logits, "block_size": block_size, "drops": drops}
    return _register(cls, unroll=unroll, unroll_rows=unroll_rows, states=states, **own, **others)


def _register(cls: type[P], *, unroll: Callable, unroll_rows: Callable | None = None, **others: Any) -> Model[P]:
    """Fills in what follows from other functions, and keeps the record by its class, in place of an older one."""
    if not is_pytree(cls) or "vocab" not in cls.static_fields:  # pyright: ignore[reportAttributeAccessIssue]
        raise ValueError(f"{cls.__name__} is no class of parameters: decorate it by mm_jax.pytree, add a field vocab")
    if cls in _MODELS:
        jax.clear_caches()  # compiled programs hold the functions of the old record
    others.setdefault("name", cls.__name__.lower())
    others.setdefault("context_log_probs", unrolling.many_contexts(others["logits"]))
    unroll_rows = unroll_rows or jax.vmap(unroll, (None, 0, 0))
    _MODELS[cls] = Model(cls=cls, unroll=unroll, unroll_rows=unroll_rows, **others)
    return _MODELS[cls]


def model_of(params: P) -> Model[P]:
    """Returns the record of a model's class; raises ValueError for a class that is not registered."""
    if (model := _MODELS.get(type(params))) is None:
        raise ValueError(no_model(params))
    return model


def check_params(params: P) -> Model[P]:
    """Returns the record of a model, its vocabulary and arrays checked; ValueError as `model_of`, `check_arrays`."""
    model = model_of(params)
    vocabulary(params.vocab, f"vocab of {type(params).__name__}")
    check_arrays(params)
    return model


def is_model(params: Any) -> bool:
    """Returns True for an instance of a registered class."""
    return type(params) in _MODELS


def registered() -> list[Model]:
    """Returns all records, in order of registration."""
    return list(_MODELS.values())


def block_size(params: Params) -> int | None:
    """Returns the window of a windowed model, in tokens; None for a model that sees the whole word so far."""
    return model_of(params).block_size(params)


def max_length(params: Params) -> int | None:
    """Returns the longest word that the model can read, in characters; None is no limit."""
    return model_of(params).max_length(params)


def check_lengths(params: Params, words: Sequence[str]) -> None:
    """Raises ValueError for a word longer than the model can read."""
    if (limit := max_length(params)) is None or sizes_of(words, units := params.vocab.units).longest <= limit:
        return
    word, length = next(found for found in zip(words, lengths(words, units), strict=True) if found[1] > limit)
    remedy = "leave it out, or make the model with a larger max_length"
    raise ValueError(f"{word!r} has {length} {units}, and this {type(params).__name__} reads {limit} at most: {remedy}")


def start(params: Params) -> State:
    """Returns the state before a word, from which `logits` predicts the first character.

    >>> import mm_jax
    >>> start(mm_jax.mlp.init(jax.random.key(0), mm_jax.Vocab(".ab"), block_size=3)).tolist()
    [0, 0, 0]
    """
    return model_of(params).start(params)


def advance(params: Params, state: State, token: Int[ArrayLike, ""]) -> State:
    """Returns the state after one more token, of the same shapes; after token 0, the state before the next word.

    >>> import mm_jax
    >>> params = mm_jax.mlp.init(jax.random.key(0), mm_jax.Vocab(".ab"), block_size=3)
    >>> state = advance(params, start(params), jnp.int32(2))
    >>> state.tolist(), advance(params, state, jnp.int32(0)).tolist()
    ([0, 0, 2], [0, 0, 0])
    """
    model = model_of(params)
    return unrolling.restarting(model.start, model.advance)(params, state, jnp.asarray(token, jnp.int32))


def logits(params: Params, state: State) -> Float32[Array, " vocab_size"]:
    """Returns the logits of the next token, float32 [vocab_size]: unnormalised log probabilities.

    Args:
      params: any model's parameters.
      state: one state, from `start` or `advance`. For a windowed model any int [block_size], oldest token first, 0
        before a word's start. `jax.vmap` takes many.

    Raises ValueError for `params` that are not a model, and for a context of another length or dtype, or (outside jit)
    with a token that is not in the vocabulary.

    >>> import mm_jax
    >>> params = mm_jax.counts.fit(["ab"], mm_jax.Vocab(".ab"), smoothing=1.0)
    >>> jnp.exp(logits(params, [1])).tolist()
    [1.0, 1.0, 2.0]
    """
    model = model_of(params)
    if (size := model.block_size(params)) is not None:
        state = unrolling.checked_window(state, size, len(params.vocab))
    return model.logits(params, state)


def unroll(
    params: Params, tokens: Int[ArrayLike, " length"], dropout: Dropout | None = None
) -> Float32[Array, "length+1 vocab_size"]:
    """Returns the logits at every position, float32 [length + 1, vocab_size]: row t is what follows tokens[:t].

    Args:
      params: any model's parameters.
      tokens: int [length], a word without its `.`, or (if the model `packs`) several words with a 0 between them. Rows
        that read padding are meaningless, unless a 0 ends the word before it.
      dropout: for training; only of the kinds in the record's `drops`.

    >>> import mm_jax
    >>> params = mm_jax.counts.fit(["ab"], mm_jax.Vocab(".ab"), smoothing=1.0)
    >>> jnp.exp(jax.jit(unroll)(params, jnp.array([1, 0, 1]))).tolist()
    [[1.0, 2.0, 1.0], [1.0, 1.0, 2.0], [1.0, 2.0, 1.0], [1.0, 1.0, 2.0]]
    """
    return model_of(params).unroll(params, jnp.asarray(tokens, jnp.int32), dropout)


def unroll_rows(
    params: Params, tokens: Int[Array, "batch length"], dropout: Dropout | None = None
) -> Float32[Array, "batch length+1 vocab_size"]:
    """Returns `unroll` of a batch of rows; `dropout` has a key for each row.

    >>> import mm_jax
    >>> params = mm_jax.counts.fit(["ab"], mm_jax.Vocab(".ab"), smoothing=1.0)
    >>> jax.jit(unroll_rows)(params, jnp.array([[1, 2], [2, 0]])).shape
    (2, 3, 3)
    """
    return model_of(params).unroll_rows(params, tokens, dropout)
