"""Training, in three layers: a pure step, a compiled chunk of steps, a host loop over chunks.

    step   (state, inputs, weights) -> (state, loss)     pure; jax.vmap makes a population of it
    chunk  (state, corpus, n) -> (state, losses)         n steps in one compiled call, the state's buffers donated
    run    yields Progress between chunks                where progress is shown, dev loss taken, a run stopped

Step t's batch depends on the state's key and on t alone, and a chunk is one program however many of its steps are run:
a run that was stopped and continued is, bit for bit, the run that was not. The lecture runs Python at every step.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jax.sharding import Mesh
from jaxtyping import Array, Float32, Int32, Key

from mm_jax.evaluation import TokenNLL
from mm_jax.models.contract import Params, checked
from mm_jax.numbers import whole_number
from mm_jax.pytrees import pytree
from mm_jax.training import batches, sharding, whole_words
from mm_jax.training.loss import loss, matrices
from mm_jax.training.recipes import Recipe


@pytree
class State:
    """All that the next step needs."""

    params: Params
    opt_state: Any
    step: Int32[Array, ""]
    key: Key[Array, ""]


class History(NamedTuple):
    """`loss` is float32 [steps]: the training loss, penalty included, that each step started from.

    `dev` holds a (step, nll) pair for each dev evaluation.

    >>> History(loss=np.array([3.3, 2.9], np.float32), dev=[(0, 3.3), (2, 2.8)]).dev[-1]
    (2, 2.8)
    """

    loss: np.ndarray
    dev: list[tuple[int, float]]


class Progress(NamedTuple):
    """Where a run stands: the state, the losses of the steps since the last report, and the dev nll (None without dev).

    The state's buffers are reused by the next chunk: copy what you keep (`jax.device_get`).
    """

    state: State
    loss: np.ndarray
    dev: float | None


def step(
    state: State,
    read: Callable[[Params, Any], Array],
    inputs: Any,
    weights: Float32[Array, "*batch vocab_size"],
    optimizer: optax.GradientTransformation,
    l2: Float32[Array, ""] | None,
) -> tuple[State, Float32[Array, ""]]:
    """One gradient step; returns the next state and the loss that this step started from.

    `read` gives the logits at the inputs, [*batch, vocab_size].
    """
    value, gradient = jax.value_and_grad(loss)(state.params, read, inputs, weights, l2)
    updates, opt_state = optimizer.update(gradient, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    return State(params=params, opt_state=opt_state, step=state.step + 1, key=state.key), value


def many_steps(
    state: State,
    corpus: Any,
    n: Int32[Array, ""],
    rates: Float32[Array | np.ndarray, " length"] | None,
    l2: Float32[Array, ""] | None,
    *,
    optimizer: Callable[[Any], optax.GradientTransformation],
    length: int,
    mesh: Mesh | None = None,
) -> tuple[State, Float32[Array, " length"]]:
    """Runs n steps, at most `length`, step i at rates[i]; losses[n:] are 0. Pure: `chunk` is this, compiled.

    n is an argument of the program and not a part of it: a chunk cut short runs the same instructions as a whole one,
    where a `lax.scan` of another length would be another program, with roundings of its own. The rates are data for
    the same reason: no schedule is compiled.
    """
    drawn = corpus.draw(state.key, state.step + jnp.arange(length, dtype=jnp.int32))

    def body(i, carry):
        state, losses = carry
        inputs, weights = corpus.batch(jax.tree.map(lambda choices: choices[i], drawn))
        if mesh is not None:
            inputs, weights = sharding.divide((inputs, weights), mesh)
        transformation = optimizer(None if rates is None else rates[i])
        state, value = step(state, corpus.read, inputs, weights, transformation, l2)
        return state, losses.at[i].set(value)

    return lax.fori_loop(0, n, body, (state, jnp.zeros(length, jnp.float32)))


chunk = jax.jit(many_steps, static_argnames=("optimizer", "length", "mesh"), donate_argnames=("state",))


def first_state(params: Params, key: Key[Array, ""], recipe: Recipe) -> State:
    """The state before the first step, in buffers of its own; ValueError for what cannot be trained (see `fit`)."""
    checked(params)
    leaves = jax.tree.leaves(params)
    if not all(jnp.issubdtype(leaf.dtype, jnp.floating) for leaf in leaves):
        raise ValueError(f"{type(params).__name__} is not fitted by gradient steps")
    if not all(np.isfinite(leaf).all() for leaf in leaves):
        raise ValueError("the parameters are not all finite: start from others (or smooth the counts)")
    if recipe.l2 and not matrices(params):
        raise ValueError(f"{type(params).__name__} has no field whose name begins with W: leave l2 at 0")
    rate = None if recipe.learning_rate is None else np.float32(recipe.learning_rate)  # an int is another program
    return _fresh(params, key, rate, optimizer=recipe.transformation)


@functools.partial(jax.jit, static_argnames="optimizer")
def _fresh(params: Params, key: Key[Array, ""], rate: Any, *, optimizer: Callable) -> State:
    """The first state as one program; copied, for chunk donates its buffers, which must not be the caller's."""
    state = State(params=params, opt_state=optimizer(rate).init(params), step=jnp.int32(0), key=key)
    return jax.tree.map(jnp.copy, state)


def run(
    state: State,
    words: Sequence[str] | whole_words.Words,
    recipe: Recipe,
    *,
    teacher: Params | None = None,
    dev: Sequence[str] | None = None,
    interval: int | None = None,
    mesh: Mesh | None = None,
) -> Iterator[Progress]:
    """Trains until the state has made `recipe.steps` steps.

    Yields Progress before the first step and after each `interval` of them: 1,000 where it is None, or with dev
    steps / 20 if that is less. Leave the loop to stop early. `words` may be laid out already, with targets of their own
    (`whole_words.laid`). Other arguments and errors are `fit`'s.
    """
    steps = recipe.steps
    interval = min(1000, max(1, steps // 20) if dev is not None else steps) if interval is None else interval
    whole_number("interval", interval)
    corpus = words if isinstance(words, whole_words.Words) else batches.of(words, state.params, recipe, teacher)
    if mesh is not None:
        mesh = sharding.automatic(mesh)
        state, corpus = sharding.replicate((state, sharding.divisible(corpus, recipe.batch_size, mesh)), mesh)
    dev_nll = None if dev is None else TokenNLL(dev, state.params)
    # One dtype each, or every kind of number that comes along compiles a program of its own.
    rates, l2 = recipe.rates(), jax.device_put(np.float32(recipe.l2)) if recipe.l2 else None
    advance = functools.partial(chunk, optimizer=recipe.transformation, length=interval, mesh=mesh)

    done, n = int(state.step), 0
    while True:
        ahead = None if rates is None else _ahead(rates, done, interval)
        state, losses = advance(state, corpus, jax.device_put(np.int32(n)), ahead, l2)
        done += n
        nll = None
        if dev_nll is not None:
            nll = dev_nll.mean(state.params if mesh is None else jax.device_get(state.params))
        yield Progress(state, np.asarray(losses)[:n], nll)
        if done >= steps:
            return
        n = min(interval - done % interval, steps - done)


def _ahead(rates: np.ndarray, done: int, length: int) -> np.ndarray:
    """The rates of the next steps, float32 [length]; 0 beyond the last."""
    ahead = rates[done : done + length]
    return np.pad(ahead, (0, length - len(ahead)))


def fit(
    params: Params,
    words: Sequence[str] | whole_words.Words,
    key: Key[Array, ""],
    recipe: Recipe | None = None,
    *,
    teacher: Params | None = None,
    dev: Sequence[str] | None = None,
    mesh: Mesh | None = None,
    **options: Any,
) -> tuple[Params, History]:
    """Trains a model by gradient steps.

    Args:
      params: any model whose arrays are floats (not counts or n-grams); left as it is.
      words: what to learn from.
      key: decides every minibatch; the batch of step t depends on the key and t alone.
      recipe: how to train, a `mm_jax.Recipe`; or else
      options: those of `mm_jax.Recipe`, of which steps is the only one needed: steps, batch_size=32, draw, optimizer,
        learning_rate, decay, l2, ...
      teacher: a model whose distribution at each prefix is mixed into what followed there, with the recipe's share
        `teach`; None is a Kneser-Ney model of the same words, where `teach` is not 0.
      dev: words to take the nll of on the way; training never depends on them.
      mesh: a `jax.sharding.Mesh`: batches are divided among the devices of its first axis, the rest is replicated;
        `mm_jax.training.sharding` says how on several hosts.

    Returns the trained parameters and a History.

    Raises:
      ValueError: options as `mm_jax.Recipe` says, or both of recipe and options; a batch_size that the mesh does not
        divide; words as `corpus.tokens` says; params without gradients or not finite; l2 for a model without weight
        matrices; a teacher of another vocabulary, or without a share.
      TypeError: an option that a Recipe does not have.

    >>> from mm_jax.models import bigram
    >>> from mm_jax.vocab import Vocab
    >>> words = ["emma", "ava", "mia"]
    >>> vocab = Vocab.from_words(words)
    >>> params = bigram.init(jax.random.key(0), vocab)
    >>> params, history = fit(params, words, jax.random.key(1), steps=100, batch_size=None, learning_rate=10.0)
    >>> history.loss.shape, bool(history.loss[-1] < history.loss[0])
    ((100,), True)

    Source: makemore parts 1 and 2.
    """
    recipe = recipe_from(recipe, options)
    state = first_state(params, key, recipe)
    losses, dev_losses = [], []
    for progress in run(state, words, recipe, teacher=teacher, dev=dev, mesh=mesh):
        state = progress.state
        losses.append(progress.loss)
        if progress.dev is not None:
            dev_losses.append((int(state.step), progress.dev))
    return state.params, History(np.concatenate(losses), dev_losses)


def recipe_from(recipe: Recipe | None, options: dict[str, Any]) -> Recipe:
    """The recipe that was given, or the one that the options make; ValueError for both."""
    if recipe is not None and options:
        raise ValueError(f"give a recipe or options, not both: recipe.but({next(iter(options))}=...) changes a recipe")
    return Recipe(**options) if recipe is None else recipe
