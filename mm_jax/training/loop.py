"""Training, in three layers: a pure step, a compiled chunk of steps, a host loop over chunks.

    step   (state, inputs, weights) -> (state, loss)     pure; jax.vmap trains a population with it
    chunk  (state, source, n) -> (state, losses)         n steps in one compiled call, the state's buffers donated
    run    yields Progress between chunks                for progress bars, dev losses and early stopping

Step t's batch depends on the state's key and on t alone, and chunks of any number of steps run the same program. So a
run that was stopped and resumed equals, bit for bit, the run that was not. The lecture runs Python at every step.
"""

import difflib
import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import fields
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jax.sharding import Mesh
from jaxtyping import Array, Float32, Int32, Key

from mm_jax.checks import random_key, shown, whole_number
from mm_jax.models.contract import P, Params, check_params
from mm_jax.models.prediction import TokenNLL
from mm_jax.pytrees import pytree
from mm_jax.training import batches, sharding, whole_words
from mm_jax.training.loss import Targets, loss, matrices
from mm_jax.training.recipes import Recipe


@pytree
class State:
    """What the next step needs: parameters, optimizer state, the number of steps made, and the key of all batches."""

    params: Any  # those of any model
    opt_state: Any
    step: Int32[Array, ""]
    key: Key[Array, ""]


class History(NamedTuple):
    """Losses of a run.

    `loss` is float32 [steps]: the training loss before each step, penalty included. `dev` holds a (step, nll) pair for
    each evaluation on dev.

    >>> history = History(loss=np.array([3.3, 2.9], np.float32), dev=[(0, 3.3), (2, 2.8)])
    >>> history.dev[-1]
    (2, 2.8)
    >>> history
    History(2 steps, loss 3.3000 to 2.9000, dev 3.3000 to 2.8000)
    """

    loss: np.ndarray
    dev: list[tuple[int, float]]

    def __repr__(self) -> str:
        """Returns the number of steps, and the first and the last losses."""
        steps = np.shape(self.loss)[-1]
        parts = [f"{steps:,} steps"]
        if steps:
            parts.append(f"loss {np.mean(self.loss[..., 0]):.4f} to {np.mean(self.loss[..., -1]):.4f}")
        if self.dev:
            parts.append(f"dev {np.mean(self.dev[0][1]):.4f} to {np.mean(self.dev[-1][1]):.4f}")
        return f"History({', '.join(parts)})"


class Progress(NamedTuple):
    """The state of a run, the losses of the steps since the last report, and the nll on dev (None without dev).

    The next chunk reuses the state's buffers: copy what you keep (`jax.device_get`).
    """

    state: State
    loss: np.ndarray
    dev: float | None


def step(
    state: State,
    predict: Callable[[Params, Any], Array],
    inputs: Any,
    weights: Float32[Array, "*batch vocab_size"] | Targets,
    optimizer: optax.GradientTransformation,
    l2: Float32[Array, ""] | None,
) -> tuple[State, Float32[Array, ""]]:
    """Makes one gradient step; returns the next state, and the loss before the step.

    `predict` returns the logits at the inputs, [*batch, vocab_size]; for Targets the states there.
    """
    value, gradient = jax.value_and_grad(loss)(state.params, predict, inputs, weights, l2)
    updates, opt_state = optimizer.update(gradient, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    return State(params=params, opt_state=opt_state, step=state.step + 1, key=state.key), value


def many_steps(
    state: State,
    source: Any,
    n: Int32[Array, ""],
    rates: Float32[Array | np.ndarray, " length"] | None,
    l2: Float32[Array, ""] | None,
    *,
    optimizer: Callable[[Any], optax.GradientTransformation],
    length: int,
    mesh: Mesh | None = None,
) -> tuple[State, Float32[Array, " length"]]:
    """Runs n steps, at most `length`, step i at rates[i]; losses[n:] are 0. Pure: `chunk` is this, compiled.

    n is an argument of the program, so that a short chunk runs the instructions of a whole one: a `lax.scan` of another
    length would be another program, with other roundings. The rates are data for the same reason: no schedule is
    compiled. `source` holds the batches of these steps: what a source's `read` gives (see `batches`).
    """
    drawn = source.draw(state.key, state.step + jnp.arange(length, dtype=jnp.int32))

    def body(i, carry):
        state, losses = carry
        inputs, weights = source.batch(jax.tree.map(lambda choices: choices[i], drawn))
        if mesh is not None:
            inputs, weights = sharding.divide((inputs, weights), mesh)
        # The optimizer is made anew for each step's rate. Its state comes along unchanged: momentum and the like do not
        # depend on the rate, which only scales the update.
        transformation = optimizer(None if rates is None else rates[i])
        state, value = step(state, source.predict, inputs, weights, transformation, l2)
        return state, losses.at[i].set(value)

    return lax.fori_loop(0, n, body, (state, jnp.zeros(length, jnp.float32)))


chunk = jax.jit(many_steps, static_argnames=("optimizer", "length", "mesh"), donate_argnames=("state",))


def first_state(params: Params, key: Key[Array, ""], recipe: Recipe) -> State:
    """Makes the state before the first step, in new buffers; ValueError for what cannot be trained (see `fit`)."""
    random_key("key", key)
    check_params(params)
    leaves = jax.tree.leaves(params)
    if not all(jnp.issubdtype(leaf.dtype, jnp.floating) for leaf in leaves):
        raise ValueError(f"{type(params).__name__} is not fitted by gradient steps")
    if not all(np.isfinite(leaf).all() for leaf in leaves):
        raise ValueError("the parameters are not all finite: start from others (or smooth the counts)")
    if recipe.l2 and not matrices(params):
        raise ValueError(f"{type(params).__name__} has no field whose name begins with W: leave l2 at 0")
    # As float32: a Python int would compile a second program.
    rate = None if recipe.learning_rate is None else np.float32(recipe.learning_rate)
    return _fresh(params, key, rate, optimizer=recipe.transformation)


@functools.partial(jax.jit, static_argnames="optimizer")
def _fresh(params: Params, key: Key[Array, ""], rate: Any, *, optimizer: Callable) -> State:
    """Makes the first state in one program. All is copied: `chunk` donates the buffers, which are not the caller's."""
    state = State(params=params, opt_state=optimizer(rate).init(params), step=jnp.int32(0), key=key)
    return jax.tree.map(jnp.copy, state)


def run(
    state: State,
    words: Sequence[str] | whole_words.WordBatches,
    recipe: Recipe,
    *,
    teacher: Params | None = None,
    dev: Sequence[str] | None = None,
    interval: int | None = None,
    mesh: Mesh | None = None,
) -> Iterator[Progress]:
    """Trains until the state has made `recipe.steps` steps.

    Yields Progress before the first step and after each `interval` of them: 1,000 where it is None, or with dev
    steps / 20 if that is less. Leave the loop to stop early. `words` may be packed already, with targets of their own
    (`whole_words.pack_words`). Other arguments and errors are those of `fit`.
    """
    steps, rates = recipe.steps, recipe.rates()
    interval = min(1000, max(1, steps // 20) if dev is not None else steps) if interval is None else interval
    whole_number("interval", interval)
    packed = isinstance(words, whole_words.WordBatches)
    source = words if packed else batches.make_batches(words, state.params, recipe, teacher)
    key = jnp.copy(state.key)  # the first chunk takes the state's buffers
    if mesh is not None:
        mesh = sharding.automatic(mesh)
        state, source = sharding.replicate(state, mesh), sharding.spread(source, mesh)
    dev_nll = None if dev is None else TokenNLL(dev, state.params)
    l2 = jax.device_put(np.float32(recipe.l2)) if recipe.l2 else None  # one dtype: another would compile anew
    advance = functools.partial(chunk, optimizer=recipe.transformation, length=interval, mesh=mesh)

    # The first chunk makes 0 steps: it compiles the program, so that the first Progress holds the dev loss before any
    # training, and whoever takes times sees compilation apart from steps.
    done, n = int(state.step), 0
    while True:
        next_rates = None if rates is None else _next_rates(rates, done, interval)
        read = source.read(key, done, interval)
        state, losses = advance(state, read, jax.device_put(np.int32(n)), next_rates, l2)
        done += n
        nll = None
        if dev_nll is not None:
            nll = dev_nll.mean(state.params if mesh is None else jax.device_get(state.params))
        yield Progress(state, np.asarray(losses)[:n], nll)
        if done >= steps:
            return
        n = min(interval - done % interval, steps - done)


def _next_rates(rates: np.ndarray, done: int, length: int) -> np.ndarray:
    """Returns the rates of the next steps, float32 [length]; 0 beyond the last."""
    found = rates[done : done + length]
    return np.pad(found, (0, length - len(found)))


def fit(
    params: P,
    words: Sequence[str] | whole_words.WordBatches,
    key: Key[Array, ""],
    recipe: Recipe | None = None,
    *,
    teacher: Params | None = None,
    dev: Sequence[str] | None = None,
    mesh: Mesh | None = None,
    **options: Any,
) -> tuple[P, History]:
    """Trains a model by gradient steps.

    Args:
      params: any model whose arrays are floats (not counts or n-grams); not changed.
      words: the training list.
      key: a random key, as of `jax.random.key`; the batch of step t depends on the key and t alone.
      recipe: how to train, a `mm_jax.Recipe`; or else
      options: those of `mm_jax.Recipe`, of which steps is the only one needed: steps, batch_size=32, draw, optimizer,
        learning_rate, decay, l2, ...
      teacher: a model whose distribution at each prefix is mixed into the targets, with the recipe's weight `teach`;
        None is a Kneser-Ney model of the same words, where `teach` is not 0.
      dev: words whose nll is taken during training; training never depends on them.
      mesh: a `jax.sharding.Mesh`: batches are divided among the devices of its first axis, the rest is replicated; for
        several hosts see `mm_jax.training.sharding`.

    Returns the trained parameters and a History.

    Raises:
      ValueError: options as `mm_jax.Recipe` says, or both of recipe and options; a recipe that is no Recipe; a decay
        or an optimizer that cannot be used; a key that is no random key; a batch_size that the mesh does not divide;
        words as `corpus.tokens` says; params without gradients or not finite; l2 for a model without weight matrices; a
        teacher of another vocabulary, or without a share.
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
    """Returns the recipe, or the one that the options make; ValueError for both, and for what is no Recipe."""
    if recipe is not None and not isinstance(recipe, Recipe):
        raise ValueError(
            f"recipe is {shown(recipe)}, of type {type(recipe).__name__}: give a mm_jax.Recipe, or its options by name"
        )
    if recipe is not None and options:
        raise ValueError(f"give a recipe or options, not both: recipe.but({next(iter(options))}=...) changes a recipe")
    if recipe is None:
        takes = [entry.name for entry in fields(Recipe)]
        if others := [name for name in options if name not in takes]:
            meant = difflib.get_close_matches(others[0], takes, 1) or takes
            raise ValueError(f"no option is named {others[0]}: choose {', '.join(meant)}")
        if "steps" not in options:
            raise ValueError("give the number of steps, steps=1000, or a mm_jax.Recipe")
    return Recipe(**options) if recipe is None else recipe
