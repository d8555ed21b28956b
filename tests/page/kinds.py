"""A small model of every kind that a page knows, by name."""

import dataclasses
import functools
from collections.abc import Callable
from typing import Any

import jax
import numpy as np

import mm_jax
from mm_jax import words as lists
from mm_jax.models import widened

WORDS = mm_jax.load_words(lists.bundled_names())
VOCAB = mm_jax.Vocab.from_words(WORDS)


def _sharper(params: Any) -> Any:
    """New parameters with a larger output layer: untrained ones say nearly the same everywhere."""
    name = "Wu" if hasattr(params, "Wu") else "W2"
    return dataclasses.replace(params, **{name: 30 * getattr(params, name)})


def _mixture(*members: Any) -> mm_jax.Mixture:
    scores = np.linspace(-0.5, 0.5, len(members)).astype(np.float32)
    return mm_jax.Mixture(members=members, scores=jax.numpy.asarray(scores), vocab=VOCAB)


def _drawn(init: Callable[..., Any], seed: int, **sizes: int) -> Any:
    """New parameters, sharper, from one program."""
    return jax.jit(lambda: _sharper(init(jax.random.key(seed), VOCAB, **sizes)))()


def _widened(name: str) -> Any:
    """A model of words of a dozen letters, over the whole alphabet."""
    few = [word for word in WORDS if set(word) <= set("adeilmnorsty")]
    vocab = mm_jax.Vocab.from_words(few)
    if name == "ngram":
        return widened.wrap(mm_jax.ngram.fit(few, vocab, 3), VOCAB)
    return widened.wrap(_sharper(mm_jax.gru.init(jax.random.key(8), vocab, hidden_dim=16)), VOCAB)


@functools.cache
def model(name: str) -> Any:
    return KINDS[name]()


KINDS: dict[str, Callable[[], Any]] = {
    "counts": lambda: mm_jax.counts.fit(WORDS, VOCAB, smoothing=1.0),
    "counts, unsmoothed": lambda: mm_jax.counts.fit(WORDS, VOCAB),
    "bigram": lambda: mm_jax.bigram.init(jax.random.key(1), VOCAB),
    "mlp": lambda: _drawn(mm_jax.mlp.init, 2, hidden_dim=24),
    "ngram": lambda: mm_jax.ngram.fit(WORDS, VOCAB, 5),
    "ngram of order 1": lambda: mm_jax.ngram.fit(WORDS, VOCAB, 1),
    "bow": lambda: _drawn(mm_jax.bow.init, 3, embedding_dim=8, hidden_dim=32),
    "rnn": lambda: _drawn(mm_jax.rnn.init, 4, hidden_dim=32),
    "gru": lambda: _drawn(mm_jax.gru.init, 5, hidden_dim=32),
    "transformer": lambda: _drawn(mm_jax.transformer.init, 6, num_layers=2, num_heads=4, width=16),
    "wavenet": lambda: _drawn(mm_jax.wavenet.init, 7, num_layers=3, embedding_dim=8, hidden_dim=16),
    "fresh": lambda: mm_jax.fresh.wrap(model("mlp"), WORDS, share=0.0),
    "fresh, sequential": lambda: mm_jax.fresh.wrap(model("gru"), WORDS),
    "mixture of sequential": lambda: _mixture(model("gru"), model("ngram"), model("transformer")),
    "mixture": lambda: _mixture(model("ngram"), model("mlp"), model("counts")),
    "mixture of alphabets": lambda: _mixture(_widened("gru"), _widened("ngram")),
    "product": lambda: mm_jax.product.of([model("ngram"), model("mlp")], [1.0, 0.5]),
    "product of sequential": lambda: mm_jax.product.of([model("gru"), model("counts, unsmoothed")]),
}
