"""Many models trained at once: seeds, learning rates, penalties.

A population is a pytree like one model's, each leaf with a first axis of members. Member i equals what `fit` returns
for its parameters, key and rate alone. One small model keeps one CPU core busy, so on a CPU each member runs `fit` on a
thread, one thread a core: the same bits as alone. Other devices run the compiled chunk of `loop` under `jax.vmap`: the
same up to the order of float32 sums; members that read a long list run on threads there too. examples/benchmark.py
prints what threads save: sixteen MLPs took 0.57 of the time of sixteen runs, on two cores.
"""

import functools
import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float32, Key

from mm_jax.checks import as_list, cores, random_key
from mm_jax.models.contract import P, Params, model_of
from mm_jax.models.prediction import TokenNLL
from mm_jax.training import batches, loop
from mm_jax.training.loop import recipe_from
from mm_jax.training.recipes import Recipe, Transformation


class Summary(NamedTuple):
    """Statistics of n members: mean, standard deviation (`spread`), standard error of the mean."""

    mean: float
    spread: float
    stderr: float
    n: int


def member(params: P, i: int) -> P:
    """Returns model i of a population, as a single model; raises ValueError for what is no model.

    >>> from mm_jax.models import bigram
    >>> from mm_jax.vocab import Vocab
    >>> population = jax.vmap(lambda key: bigram.init(key, Vocab(".ab")))(jax.random.split(jax.random.key(0), 3))
    >>> population.W.shape, member(population, 1).W.shape
    ((3, 3, 3), (3, 3))
    """
    model_of(params)
    return jax.tree.map(lambda leaf: leaf[i], params)


def fit_population(
    params: P, words: Sequence[str], keys: Key[Array, " members"], recipe: Recipe | None = None, **options: Any
) -> tuple[P, Float32[np.ndarray, "members steps"]]:
    """Trains all members of a population: on a CPU one a thread, on other devices in one vmapped program.

    Args:
      params: a population, as `jax.vmap(lambda key: mm_jax.mlp.init(key, vocab))(keys)` makes; not changed.
      words: the training list of all members.
      keys: one for each member, [members]; equal keys give equal minibatches.
      recipe: how to train, a `mm_jax.Recipe`; or else
      options: those of `mm_jax.Recipe`; learning_rate and l2 may be sequences, one value for each member.

    Returns:
      The trained population, and the loss of each member before each step, float32 [members, steps].

    Raises ValueError as `fit` does, for no keys, and where the numbers of members differ.

    >>> from mm_jax.models import bigram
    >>> from mm_jax.vocab import Vocab
    >>> init_keys, keys = jax.random.split(jax.random.key(0), (2, 3))
    >>> start = jax.vmap(lambda key: bigram.init(key, Vocab(".ab")))(init_keys)
    >>> trained, loss = fit_population(start, ["ab", "b"], keys, steps=50, learning_rate=[0.1, 1.0, 10.0])
    >>> loss.shape, int(loss[:, -1].argmin())
    ((3, 50), 2)
    """
    random_key("keys", keys, many=True)
    model_of(params)
    if not len(keys):
        raise ValueError("no keys: a population has a member or more")
    if any(len(leaf) != len(keys) for leaf in jax.tree.leaves(params)):
        raise ValueError(f"there are {len(keys)} keys: params must be a population of as many")
    recipes = [recipe_from(recipe, own) for own in _member_options(options, len(keys))]
    # Under vmap all members read one source, and each reads rows of its own out of a stream.
    streamed = batches.is_streamed(as_list(words), params, recipes[0])
    train = _on_threads if streamed or jax.default_backend() == "cpu" else _under_vmap
    return train(params, words, keys, recipes)


def _member_options(options: dict[str, Any], members: int) -> list[dict[str, Any]]:
    """Returns the options of each member: a sequence as learning_rate or l2 holds one value a member."""
    shared = dict(options)
    own: dict[str, list[float]] = {}
    for name in ("learning_rate", "l2"):
        if np.ndim(shared.get(name) or 0):
            own[name] = np.asarray(shared.pop(name), np.float32).tolist()
            if len(own[name]) != members:
                raise ValueError(f"expected one {name} or {members}, one for each key, got {len(own[name])}")
    return [shared | {name: values[i] for name, values in own.items()} for i in range(members)]


def _on_threads(params: Params, words: Sequence[str], keys: Key[Array, " members"], recipes: list[Recipe]):
    """Trains each member by `fit`, on as many threads as there are cores."""

    def alone(i: int) -> tuple[Params, loop.History]:
        return loop.fit(member(params, i), words, keys[i], recipes[i])

    with ThreadPoolExecutor(cores()) as pool:
        fitted = list(pool.map(alone, range(len(keys))))
    trained = jax.tree.map(lambda *leaves: jnp.stack(leaves), *[params for params, _ in fitted])
    return trained, np.stack([history.loss for _, history in fitted])


def _under_vmap(params: Params, words: Sequence[str], keys: Key[Array, " members"], recipes: list[Recipe]):
    """Trains all members in one program, `loop.many_steps` under vmap."""
    first = recipes[0]
    source = batches.make_batches(words, member(params, 0), first)
    # `first_state` checks one member, outside vmap; then the states are made under vmap.
    loop.first_state(member(params, 0), jax.random.key(0), first)
    steps, length = first.steps, min(first.steps, 1000)
    init, advance = _compiled(first.transformation, length)
    held = first.learning_rate is None
    rates = None if held else np.stack([recipe.rates() for recipe in recipes])  # pyright: ignore
    penalties = np.array([recipe.l2 for recipe in recipes], np.float32)
    state = init(params, keys, None if rates is None else rates[:, 0])
    losses = []
    for done in range(0, steps, length):
        n = min(length, steps - done)
        chunk_rates = None if rates is None else np.pad(rates[:, done : done + n], ((0, 0), (0, length - n)))
        state, loss = advance(state, source, np.int32(n), chunk_rates, penalties if penalties.any() else None)
        losses.append(np.asarray(loss)[:, :n])
    return state.params, np.concatenate(losses, axis=1)


@functools.lru_cache(maxsize=32)
def _compiled(optimizer: Transformation, length: int):
    """Compiles what makes the states of a population, and what advances them; once an optimizer and length."""
    many = functools.partial(loop.many_steps, optimizer=optimizer, length=length)
    advance = jax.jit(jax.vmap(many, (0, None, None, 0, 0)), donate_argnums=0)

    def one(params: Any, key: Any, rate: Any) -> loop.State:
        return loop.State(params=params, opt_state=optimizer(rate).init(params), step=jnp.int32(0), key=key)

    return jax.jit(jax.vmap(one)), advance


def evaluate_population(params: Params, words: Sequence[str]) -> np.ndarray:
    """Computes the nll of each member over `words`, in nats per character: float64 [members].

    >>> from mm_jax.models import bigram
    >>> from mm_jax.vocab import Vocab
    >>> population = jax.vmap(lambda key: bigram.init(key, Vocab(".ab")))(jax.random.split(jax.random.key(0), 3))
    >>> evaluate_population(population, ["ab", "b"]).shape
    (3,)
    """
    token_nll = TokenNLL(words, member(params, 0))
    return np.array([token_nll.mean(member(params, i)) for i in range(len(jax.tree.leaves(params)[0]))])


def best_on_dev(params: P, dev: Sequence[str]) -> tuple[int, P]:
    """Returns the number of the member with the lowest nll on dev, and the member. Report test once, of this one.

    >>> from mm_jax.models import bigram
    >>> from mm_jax.vocab import Vocab
    >>> population = jax.vmap(lambda key: bigram.init(key, Vocab(".ab")))(jax.random.split(jax.random.key(0), 3))
    >>> best, params = best_on_dev(population, ["ab", "b"])
    >>> best == int(evaluate_population(population, ["ab", "b"]).argmin())
    True
    """
    best = int(np.nanargmin(evaluate_population(params, dev)))
    return best, member(params, best)


def summarize(values: np.ndarray) -> Summary:
    """Computes mean, standard deviation and standard error of one value a member; both are nan for one member.

    >>> summarize(np.array([1.0, 2.0, 3.0])).mean
    2.0
    """
    n = len(values)
    spread = float(np.std(values, ddof=1)) if n > 1 else math.nan
    return Summary(float(np.mean(values)), spread, spread / math.sqrt(n), n)


def compare_paired(one: np.ndarray, other: np.ndarray) -> Summary:
    """Summarizes the paired differences `one - other` of two settings: effects that a seed has on both cancel.

    >>> compare_paired(np.array([2.1, 2.3]), np.array([2.0, 2.2])).spread < 1e-9
    True
    """
    if len(one) != len(other):
        raise ValueError(f"{len(one)} and {len(other)} members: pairs need the same seeds on both sides")
    return summarize(np.asarray(one) - np.asarray(other))
