"""Training, in three layers: a pure step, a compiled chunk of steps, a host loop over chunks.

    step   (state, contexts, weights) -> (state, loss)     pure; jax.vmap makes a population of it
    chunk  (state, corpus, n) -> (state, losses)           n steps in one compiled call, the state's buffers donated
    run    yields Progress between chunks                  where progress is shown, dev loss taken, a run stopped

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
from jaxtyping import Array, Float32, Int, Int32, Key

from mm_jax import batches, sharding
from mm_jax.evaluation import TokenNLL
from mm_jax.models import Params, block_size, logits
from mm_jax.pytree import pytree

Optimizer = optax.GradientTransformation | Callable[[Any], optax.GradientTransformation]


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


def loss(
    params: Params,
    contexts: Int[Array, "batch block_size"],
    weights: Float32[Array, "batch vocab_size"],
    l2: float | Float32[Array, ""] | None = None,
) -> Float32[Array, ""]:
    """Cross entropy in nats per character, plus the lecture's penalty.

    -sum_ij weights[i, j] * log softmax(logits(contexts[i]))[j]  +  l2 * sum over weight matrices of mean(W^2)

    Args:
      params: a model.
      contexts: distinct contexts, or those of a minibatch.
      weights: how much each next token counts, such as its relative frequency, or one-hot rows / batch size.
      l2: strength of the penalty, None for none; the weight matrices are the fields whose names begin with W.

    Source: makemore parts 1 and 2.
    """
    rows = jax.vmap(logits, (None, 0))(params, contexts)
    nll = optax.softmax_cross_entropy(rows, weights).sum()
    matrices = [leaf for name, leaf in vars(params).items() if name.startswith("W")]
    return nll if l2 is None else nll + l2 * sum(jnp.mean(jnp.square(W)) for W in matrices)


def step(
    state: State,
    contexts: Int[Array, "batch block_size"],
    weights: Float32[Array, "batch vocab_size"],
    optimizer: optax.GradientTransformation,
    l2: Float32[Array, ""] | None,
) -> tuple[State, Float32[Array, ""]]:
    """One gradient step; returns the next state and the loss that this step started from."""
    value, gradient = jax.value_and_grad(loss)(state.params, contexts, weights, l2)
    updates, opt_state = optimizer.update(gradient, state.opt_state, state.params)
    params = optax.apply_updates(state.params, updates)
    return State(params=params, opt_state=opt_state, step=state.step + 1, key=state.key), value


def many_steps(
    state: State,
    corpus: Any,
    n: Int32[Array, ""],
    learning_rate: Float32[Array, "*any"] | None,
    l2: Float32[Array, ""] | None,
    *,
    optimizer: Optimizer,
    length: int,
    mesh: Mesh | None = None,
) -> tuple[State, Float32[Array, " length"]]:
    """Runs n steps, at most `length`; losses behind the n-th are 0. Pure: `chunk` is this, compiled.

    n is an argument of the program and not a part of it: a chunk cut short runs the same instructions as a whole one,
    where a `lax.scan` of another length would be another program, with roundings of its own.
    """
    transform = resolve(optimizer, learning_rate)
    drawn = corpus.draw(state.key, state.step + jnp.arange(length, dtype=jnp.int32))

    def body(i, carry):
        state, losses = carry
        contexts, weights = corpus.batch(jax.tree.map(lambda choices: choices[i], drawn))
        if mesh is not None:
            contexts, weights = sharding.divide((contexts, weights), mesh)
        state, value = step(state, contexts, weights, transform, l2)
        return state, losses.at[i].set(value)

    return lax.fori_loop(0, n, body, (state, jnp.zeros(length, jnp.float32)))


chunk = jax.jit(many_steps, static_argnames=("optimizer", "length", "mesh"), donate_argnames=("state",))


def resolve(optimizer: Optimizer, learning_rate) -> optax.GradientTransformation:
    """The optax transformation: `optimizer` itself, or, with a learning rate, what it makes of it."""
    return optimizer if learning_rate is None else optimizer(learning_rate)  # pyright: ignore


def start(params: Params, key: Key[Array, ""], optimizer: Optimizer, learning_rate: Any = None) -> State:
    """The state before the first step, in buffers of its own; ValueError for what cannot be trained (see `fit`)."""
    leaves = jax.tree.leaves(params)
    if not all(jnp.issubdtype(leaf.dtype, jnp.floating) for leaf in leaves):
        raise ValueError(f"{type(params).__name__} is not fitted by gradient steps")
    if not all(np.isfinite(leaf).all() for leaf in leaves):
        raise ValueError("the parameters are not all finite: start from others (or smooth the counts)")
    if isinstance(optimizer, optax.GradientTransformation) == (learning_rate is not None):
        raise ValueError(
            "give an optax optimizer (optimizer=optax.adam(0.01)), or with learning_rate a function of it "
            "(optimizer=optax.adam, learning_rate=0.01)"
        )
    opt_state = resolve(optimizer, learning_rate).init(params)
    state = State(params=params, opt_state=opt_state, step=jnp.int32(0), key=key)
    return jax.tree.map(jnp.copy, state)  # chunk donates its buffers, which must not be the caller's


def run(
    state: State,
    words: Sequence[str],
    *,
    steps: int,
    batch_size: int | None = 32,
    draw: batches.Draw = "examples",
    optimizer: Optimizer,
    learning_rate: float | None = None,
    l2: float = 0.0,
    dev: Sequence[str] | None = None,
    every: int | None = None,
    mesh: Mesh | None = None,
) -> Iterator[Progress]:
    """Trains until the state has made `steps` steps; yields Progress before the first and every `every` of them.

    Leave the loop to stop early. Arguments and errors are `fit`'s; every=None is 1,000, or with dev steps / 20 if less.
    """
    check(steps=steps, batch_size=batch_size, every=every)
    every = every or min(1000, max(1, steps // 20) if dev else steps)
    size = block_size(state.params)
    corpus = batches.of(words, state.params.vocab, size, batch_size, draw)
    if mesh is not None:
        mesh = sharding.automatic(mesh)
        state, corpus = sharding.replicate((state, sharding.divisible(corpus, batch_size, mesh)), mesh)
    judge = None if dev is None else TokenNLL(dev, state.params.vocab, size)
    # One dtype each, or every kind of number that comes along compiles a program of its own.
    rate = None if learning_rate is None else jnp.float32(learning_rate)
    penalty = jnp.float32(l2) if l2 else None
    advance = functools.partial(chunk, optimizer=optimizer, length=every, mesh=mesh)

    done, n = int(state.step), 0
    while True:
        state, losses = advance(state, corpus, jnp.int32(n), rate, penalty)
        done += n
        nll = None if judge is None else judge.mean(state.params if mesh is None else jax.device_get(state.params))
        yield Progress(state, np.asarray(losses)[:n], nll)
        if done >= steps:
            return
        n = min(every - done % every, steps - done)


def check(**options: int | None) -> None:
    """ValueError for an option below 1."""
    for name, value in options.items():
        if value is not None and value < 1:
            raise ValueError(f"{name} is {value}: give 1 or more")


def fit(
    params: Params,
    words: Sequence[str],
    key: Key[Array, ""],
    *,
    steps: int,
    batch_size: int | None = 32,
    draw: batches.Draw = "examples",
    optimizer: Optimizer = optax.sgd,
    learning_rate: float | None = None,
    l2: float = 0.0,
    dev: Sequence[str] | None = None,
    mesh: Mesh | None = None,
) -> tuple[Params, History]:
    """Trains a model by gradient steps.

    Args:
      params: a Bigram or an MLP; left as it is.
      words: what to learn from.
      key: decides every minibatch; the batch of step t depends on the key and t alone.
      steps: number of steps, 1 or more.
      batch_size: examples a step, drawn with replacement; None is full batch, which works on distinct contexts.
      draw: "examples", as in the lecture, or "contexts": a gradient that varies far less (see `batches.Contexts`).
      optimizer: any optax optimizer, such as optax.adam(0.01); or a function of the learning rate, such as optax.adam.
      learning_rate: that function's argument (0.1 for the default, the lecture's SGD). New rates do not compile anew.
      l2: adds l2 * mean(W^2) for each weight matrix W to the loss.
      dev: words to take the nll of on the way; training never depends on them.
      mesh: a `jax.sharding.Mesh`: batches are divided among the devices of its first axis, the rest is replicated.

    Returns the trained parameters and a History.

    Raises:
      ValueError: steps or batch_size below 1, or a batch_size that the mesh does not divide; words as `data.tokens`
        says; params without gradients or not finite.

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
    if optimizer is optax.sgd and learning_rate is None:
        learning_rate = 0.1
    state = start(params, key, optimizer, learning_rate)
    losses, taken = [], []
    schedule = {"optimizer": optimizer, "learning_rate": learning_rate, "l2": l2}
    for progress in run(state, words, steps=steps, batch_size=batch_size, draw=draw, dev=dev, mesh=mesh, **schedule):
        state = progress.state
        losses.append(progress.loss)
        if progress.dev is not None:
            taken.append((int(state.step), progress.dev))
    return state.params, History(np.concatenate(losses), taken)
