"""Trains the output layer of the prior alone, as a page does that learns a list: no gradient passes through the GRU.

    logits = h @ W2 + b2         h, the state of the GRU before each token of the list, is computed once
    Adam on the mean nll of all tokens, in each step, at a constant rate: so one run serves every number of steps

No random number is drawn. `adapting` trains all weights: by 0.04 nats better on lists of 30 to 600 words, in ten times
the time. mm_jax/page/learn/outputs.js mirrors this file.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jaxtyping import Array, Bool, Float32, Int32

from mm_jax.models import gru, ngram
from mm_jax.models.gru import GRU
from mm_jax.models.prediction import log_probs_of_prefixes
from mm_jax.prior import adapting
from mm_jax.prior.adapting import Interpolated
from mm_jax.prior.network import Prior
from mm_jax.symbols import lengths
from mm_jax.vocab import Vocab

STEPS = (0, 1, 2, 4, 8, 16)  # numbers that are tried
RATE = 0.008  # of Adam
CELLS = 2**21  # tokens * characters that are trained on
LARGEST = 2**23  # tokens * characters of a list with which the prior is mixed: some 30,000 names
_ADAM = optax.adam(RATE, b2=0.99, eps=1e-6)  # 1e-8 would step in directions that are rounding alone


def interpolate(
    params: Prior, words: Sequence[str], vocab: Vocab, order: int, held: Sequence[str] | None = None
) -> Interpolated:
    """Multiplies a list's n-grams with the prior, its output layer trained; held-out words choose powers and steps.

    Args:
      params: what `prior.load` returns.
      words: the list, in the order that decides its folds; at least 4 distinct words.
      vocab: its characters.
      order: of the n-grams.
      held: words that choose; None is a cross-validation over `words`, on a quarter at a time.

    Returns the product, as `prior.interpolate` does; equal words give equal parameters.

    Raises ValueError for words, held ones too, as `corpus.tokens` says.
    """
    words = adapting.check_list(params, words, vocab)
    folds = [(words, adapting.check_list(params, held, vocab))] if held is not None else adapting.folds_of(words)
    counted: list[np.ndarray] = []
    trained: dict[int, list[np.ndarray]] = {steps: [] for steps in STEPS}
    for train, rest in folds:
        counted.append(log_probs_of_prefixes(ngram.fit(train, vocab, order), rest))
        for steps, model in _trained(params, train, vocab):
            trained[steps].append(adapting.log_probs(model, rest))
    steps, powers, *losses = adapting.choose([rest for _, rest in folds], vocab, counted, trained)
    trained_on_all = next(model for tried, model in _trained(params, words, vocab) if tried == steps)
    members = (ngram.fit(words, vocab, order), trained_on_all)
    return Interpolated(adapting.multiply(members, powers), steps, tuple(powers.tolist()), *losses)


def _trained(params: Prior, words: Sequence[str], vocab: Vocab) -> Iterator[tuple[int, GRU]]:
    """Yields the prior for a list, its output layer trained, by number of steps."""
    some = _within(words, vocab)
    start = adapting.restrict(params, some, vocab)
    wide, targets, inside, _ = adapting.padded_rows(start, some)
    h = _states(wide, targets)
    layer = (wide.W2, wide.b2)
    state = _ADAM.init(layer)
    yield 0, start
    for before, steps in pairwise(STEPS):
        layer, state = _descend(layer, state, h, targets, inside, np.int32(steps - before))
        yield steps, adapting.particular(replace(wide, W2=layer[0], b2=layer[1]), vocab)


def _within(words: Sequence[str], vocab: Vocab) -> Sequence[str]:
    """Returns the first words whose tokens, times the size of the alphabet, are within the limit."""
    cells = (np.cumsum(list(lengths(words, vocab.units))) + np.arange(1, len(words) + 1)) * len(vocab)
    return words[: max(adapting.FEWEST, int(np.searchsorted(cells, CELLS, side="right")))]


@jax.jit
def _states(params: Any, targets: Int32[Array | np.ndarray, "rows length"]) -> Float32[Array, "rows length hidden_dim"]:
    """Returns the state before each target."""
    return gru.states(params, jnp.asarray(targets)[:, :-1])


@jax.jit
def _descend(
    layer: Any,  # W2 and b2
    state: Any,
    h: Float32[Array, "rows length hidden_dim"],
    targets: Int32[Array | np.ndarray, "rows length"],
    inside: Bool[Array | np.ndarray, "rows length"],
    steps: Int32[Array | np.ndarray, ""],
) -> Any:
    """Returns output layer and state of Adam after some more steps."""
    mask = jnp.asarray(inside).astype(jnp.float32)

    def loss(layer: Any) -> Array:
        W2, b2 = layer
        log_probs = jax.nn.log_softmax(h @ W2 + b2[None, None])
        nll = -jnp.take_along_axis(log_probs, jnp.asarray(targets)[..., None], -1)[..., 0]
        return (nll * mask).sum() / mask.sum()

    def step(_: Any, carry: Any) -> Any:
        layer, state = carry
        with jax.numpy_dtype_promotion("standard"):  # Adam counts its steps in int32
            updates, state = _ADAM.update(jax.grad(loss)(layer), state)
        return optax.apply_updates(layer, updates), state

    return lax.fori_loop(0, steps, step, (layer, state))
