"""Many models trained at once: seeds, learning rates, penalties.

A population is a pytree like one model's, each leaf with a first axis of members. Member i is what `fit` gives alone
for its parameters, key and rate. One small model fills a CPU's core and no more, so there every member is `fit` on a
thread, as many at once as there are cores: the same bits, however many. Other devices run the compiled chunk of
`training` under `jax.vmap`: the same up to the order of float32 sums.
"""

import functools
import math
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jaxtyping import Array, Float32, Key

from mm_jax import batches, training
from mm_jax.evaluation import TokenNLL
from mm_jax.models import Params, block_size


class Summary(NamedTuple):
    """What n members say: the mean, the spread between members (standard deviation), the mean's standard error."""

    mean: float
    spread: float
    stderr: float
    n: int


def member(params: Params, i: int) -> Params:
    """Model i of a population, as one model again."""
    return jax.tree.map(lambda leaf: leaf[i], params)


def fit_population(
    params: Params,
    words: Sequence[str],
    keys: Key[Array, " members"],
    *,
    steps: int,
    batch_size: int | None = 32,
    draw: batches.Draw = "examples",
    optimizer: training.Optimizer = optax.sgd,
    learning_rate: float | Sequence[float] | None = None,
    l2: float | Sequence[float] = 0.0,
) -> tuple[Params, Float32[np.ndarray, "members steps"]]:
    """Trains every member of a population: on a CPU each on a thread, on other devices all in one vmapped program.

    Args:
      params: a population, as `jax.vmap(lambda key: mm_jax.mlp.init(key, vocab))(keys)` makes; left as it is.
      words: what all learn from.
      keys: one for each member, [members]; equal keys see equal minibatches.
      steps: as for `fit`, as are batch_size, draw and optimizer.
      learning_rate: one for all, or one for each member.
      l2: one for all, or one for each member.

    Returns:
      The trained population, and the loss that each step of each member started from, float32 [members, steps].

    Raises ValueError as `fit` does, for no keys, and where the numbers of members differ.

    >>> from mm_jax.models import bigram
    >>> from mm_jax.vocab import Vocab
    >>> init_keys, keys = jax.random.split(jax.random.key(0), (2, 3))
    >>> start = jax.vmap(lambda key: bigram.init(key, Vocab(".ab")))(init_keys)
    >>> trained, loss = fit_population(start, ["ab", "b"], keys, steps=50, learning_rate=[0.1, 1.0, 10.0])
    >>> loss.shape, int(loss[:, -1].argmin())
    ((3, 50), 2)
    """
    if optimizer is optax.sgd and learning_rate is None:
        learning_rate = 0.1
    rates = None if learning_rate is None else _each(learning_rate, len(keys), "learning rates")
    penalties = _each(l2, len(keys), "values of l2")
    if not len(keys):
        raise ValueError("no keys: a population has a member or more")
    if any(len(leaf) != len(keys) for leaf in jax.tree.leaves(params)):
        raise ValueError(f"there are {len(keys)} keys: params must be a population of as many")
    options = {"steps": steps, "batch_size": batch_size, "draw": draw, "optimizer": optimizer}
    train = _on_threads if jax.default_backend() == "cpu" else _under_vmap
    return train(params, words, keys, rates, penalties, **options)


def _on_threads(params, words, keys, rates, penalties, **options):
    def alone(i: int) -> tuple[Params, training.History]:
        rate = None if rates is None else float(rates[i])
        return training.fit(member(params, i), words, keys[i], learning_rate=rate, l2=float(penalties[i]), **options)

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        fitted = list(pool.map(alone, range(len(keys))))
    trained = jax.tree.map(lambda *leaves: jnp.stack(leaves), *[params for params, _ in fitted])
    return trained, np.stack([history.loss for _, history in fitted])


def _under_vmap(params, words, keys, rates, penalties, *, steps, batch_size, draw, optimizer):
    training.check(steps=steps, batch_size=batch_size)
    corpus = batches.of(words, params.vocab, block_size(member(params, 0)), batch_size, draw)
    # One member goes through `start` for its checks; the states are then made under vmap.
    training.start(member(params, 0), jax.random.key(0), optimizer, None if rates is None else float(rates[0]))
    length = min(steps, 1000)
    init, advance = _compiled(optimizer, length)
    state = init(params, keys, rates)
    losses = []
    for done in range(0, steps, length):
        n = min(length, steps - done)
        state, loss = advance(state, corpus, jnp.int32(n), rates, penalties)
        losses.append(np.asarray(loss)[:, :n])
    return state.params, np.concatenate(losses, axis=1)


def _each(value: float | Sequence[float], members: int, what: str) -> Float32[np.ndarray, " members"]:
    values = np.asarray(value, np.float32)
    if values.ndim and values.shape != (members,):
        raise ValueError(f"expected one or {members} {what}, one for each key, got {values.size}")
    return np.broadcast_to(values, (members,))


@functools.lru_cache(maxsize=32)
def _compiled(optimizer: training.Optimizer, length: int):
    """What makes the states of a population, and what advances them; compiled once for an optimizer and a length."""
    many = functools.partial(training.many_steps, optimizer=optimizer, length=length)
    advance = jax.jit(jax.vmap(many, (0, None, None, 0, 0)), donate_argnums=0)

    def one(params: Any, key: Any, rate: Any) -> training.State:
        opt_state = training.resolve(optimizer, rate).init(params)
        return training.State(params=params, opt_state=opt_state, step=jnp.int32(0), key=key)

    return jax.jit(jax.vmap(one)), advance


def evaluate_population(params: Params, words: Sequence[str]) -> np.ndarray:
    """The nll of each member in nats per character over words: float64 [members]."""
    judge = TokenNLL(words, params.vocab, block_size(member(params, 0)))
    return np.array([judge.mean(member(params, i)) for i in range(len(jax.tree.leaves(params)[0]))])


def best_on_dev(params: Params, dev: Sequence[str]) -> tuple[int, Params]:
    """The member with the lowest nll on dev, and its number. Choose by this; report test once, of what was chosen."""
    best = int(np.nanargmin(evaluate_population(params, dev)))
    return best, member(params, best)


def summarize(values: np.ndarray) -> Summary:
    """Mean, spread and standard error of a figure over members; nan spread for one."""
    n = len(values)
    spread = float(np.std(values, ddof=1)) if n > 1 else math.nan
    return Summary(float(np.mean(values)), spread, spread / math.sqrt(n), n)


def compare_paired(one: np.ndarray, other: np.ndarray) -> Summary:
    """The difference `one - other` of two settings on the same seeds: what a seed does to both cancels out.

    >>> compare_paired(np.array([2.1, 2.3]), np.array([2.0, 2.2])).spread < 1e-9
    True
    """
    if len(one) != len(other):
        raise ValueError(f"{len(one)} and {len(other)} members: pairs need the same seeds on both sides")
    return summarize(np.asarray(one) - np.asarray(other))
