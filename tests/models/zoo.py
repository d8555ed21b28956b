"""Every model there is: those of `mm_jax.models`, found by listing the folder, and two files of a user's own."""

import functools
import importlib.util
import inspect
import pkgutil
import sys
import tempfile
from pathlib import Path

import jax
import jax.numpy as jnp
import pytest

import mm_jax
from mm_jax import models
from mm_jax.models import contract
from mm_jax.pytrees import is_pytree

from ..conftest import FIRST_FIVE

VOCAB = mm_jax.Vocab.from_words(FIRST_FIVE)

# Annotations are strings here: what is static must not hang on them.
WINDOWED = '''
from __future__ import annotations

import jax
import jax.numpy as jnp

import mm_jax
from mm_jax import Vocab
from mm_jax.models.contract import NamedRecipe


@mm_jax.pytree
class Pairs:
    """One row of weights for each of the last two tokens, and the two added up."""

    W: jax.Array
    gain: jax.Array
    vocab: Vocab
    reach: int = mm_jax.static()


def init(key, vocab):
    W = 0.5 * jax.random.normal(key, (2, len(vocab), len(vocab)))
    return Pairs(W=W, gain=jnp.ones(1), vocab=vocab, reach=2)


def block_size(params):
    return params.reach


def logits(params, context):
    return params.gain[0] * (params.W[0, context[0]] + params.W[1, context[1]])


def picture(params, ax):
    ax.imshow(params.W[0])
    return ax


MODEL = mm_jax.windowed(
    Pairs,
    block_size=block_size,
    logits=logits,
    init=init,
    recipes={"default": NamedRecipe(training={"steps": 10, "batch_size": 8, "learning_rate": 0.5})},
    pictures=(picture,),
)
'''
SEQUENTIAL = '''
from __future__ import annotations

import jax
import jax.numpy as jnp

import mm_jax
from mm_jax import Vocab


@mm_jax.pytree
class Running:
    """A running mean of embeddings, read out by a matrix: it sees the whole word, up to `longest` characters."""

    layers: dict
    vocab: Vocab
    longest: int = mm_jax.static()


def init(key, vocab):
    one, two = jax.random.split(key)
    layers = {"C": jax.random.normal(one, (len(vocab), 4)), "W": jax.random.normal(two, (4, len(vocab)))}
    return Running(layers=layers, vocab=vocab, longest=16)


def max_length(params):
    return params.longest


def start(params):
    return jnp.zeros(4, jnp.float32)


def advance(params, state, token):
    return 0.5 * state + params.layers["C"][token]


def logits(params, state):
    return state @ params.layers["W"]


MODEL = mm_jax.sequential(
    Running, start=start, advance=advance, logits=logits, max_length=max_length, init=init
)
'''


def module_of(source, name):
    """The module that `source` makes, written to a file of its own."""
    path = Path(tempfile.mkdtemp(), f"{name}.py")
    path.write_text(source)
    spec = importlib.util.spec_from_file_location(name, path)
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


WINDOWED_TOY, SEQUENTIAL_TOY = module_of(WINDOWED, "toy_windowed"), module_of(SEQUENTIAL, "toy_sequential")


def class_of(module):
    """The class of parameters that stands in a module, None where there is none."""
    own = [cls for _, cls in inspect.getmembers(module, inspect.isclass) if cls.__module__ == module.__name__]
    return next((cls for cls in own if is_pytree(cls) and "vocab" in cls.static_fields), None)


FILES = [getattr(models, each.name) for each in pkgutil.iter_modules(models.__path__)]
MODULES = [module for module in FILES if class_of(module)] + [WINDOWED_TOY, SEQUENTIAL_TOY]


def causal(variables, tokens):
    """A network of two products: it sees all tokens so far, the last ones best."""
    place = jnp.arange(len(tokens), dtype=jnp.int32)
    age = (place[:, None] - place[None, :]).astype(jnp.float32)
    share = jnp.where(age >= 0, jnp.exp(-age), 0.0)
    return share @ variables["C"][tokens] @ variables["out"]["W"]


def small(module, key, vocab):
    """New parameters of few numbers, whatever the model."""
    sizes = {"hidden_dim": 8, "embedding_dim": 8, "width": 8, "num_heads": 2, "num_layers": 1}
    takes = inspect.signature(module.init).parameters
    return module.init(key, vocab, **{name: size for name, size in sizes.items() if name in takes})


@functools.cache
def every_model(vocab=VOCAB, words=tuple(FIRST_FIVE)):
    """One model or more of every module, of few numbers."""
    words = list(words)
    table, ngrams = mm_jax.counts.fit(words, vocab, smoothing=0.5), mm_jax.ngram.fit(words, vocab, order=4)
    toy = SEQUENTIAL_TOY.init(jax.random.key(3), vocab)
    narrow = mm_jax.Vocab(vocab.chars.replace("h" if "h" in vocab.chars else "b", ""))
    C, W = (jax.random.normal(key, (len(vocab), 4)) for key in jax.random.split(jax.random.key(4)))
    others = {
        models.counts: [table],
        models.ngram: [ngrams, mm_jax.ngram.fit(words, vocab, order=1)],
        models.mixture: [mm_jax.mixture.fit(each, words[:3], steps=5) for each in ([ngrams, table], [ngrams, toy])],
        models.fresh: [models.fresh.wrap(ngrams, words[:3], share=0.3), models.fresh.wrap(toy, words[:3])],
        models.widened: [
            models.widened.wrap(each.init(jax.random.key(5), narrow), vocab) for each in (WINDOWED_TOY, SEQUENTIAL_TOY)
        ],
        models.network: [mm_jax.network.wrap(causal, {"C": C, "out": {"W": W.T}}, vocab, max_length=16)],
    }
    found = []
    for module in MODULES:
        found += others[module] if module in others else [small(module, jax.random.key(1), vocab)]
    lecture = mm_jax.mlp.init(jax.random.key(2), vocab, block_size=2, embedding_dim=3, hidden_dim=8, init="lecture")
    return [*found, mm_jax.bigram.from_counts(table), lecture]


def name_of(params):
    size = contract.block_size(params)
    return f"{type(params).__name__}, {'whole word' if size is None else size}"


def each_of(found):
    """A test for each of some models."""
    return pytest.mark.parametrize("params", found, ids=name_of)


COMPILED = jax.jit(contract.advance), jax.jit(contract.logits)
PLAIN = contract.advance, contract.logits


def by_steps(params, tokens, verbs=COMPILED):
    """The rows of `unroll`, token by token: float32 [length + 1, vocab_size]."""
    advance, logits = verbs
    state = contract.start(params)
    rows = [logits(params, state)]
    for token in tokens:
        state = advance(params, state, jnp.int32(token))
        rows.append(logits(params, state))
    return jnp.stack(rows)
