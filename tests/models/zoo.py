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
import numpy as np
import pytest

import mm_jax
from mm_jax import models
from mm_jax.layers import unrolling
from mm_jax.models import contract
from mm_jax.pytrees import is_pytree

from ..conftest import FIRST_FIVE, drawn

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


def variables_of_causal(vocab):
    """Variables for it, drawn by NumPy."""
    C, W = np.random.default_rng(4).standard_normal((2, len(vocab), 4)).astype(np.float32)
    return jax.device_put({"C": C, "out": {"W": W.T}})


def short(module):
    return module.__name__.rpartition(".")[2]


def small(module, vocab, words):
    """New parameters of few numbers, whatever the model."""
    sizes = {"hidden_dim": 8, "embedding_dim": 8, "width": 8, "num_heads": 2, "num_layers": 1}
    takes = inspect.signature(module.init).parameters
    return drawn(module.init, vocab, seed=1, **{name: size for name, size in sizes.items() if name in takes})


def ngrams(vocab, words, order=4):
    return mm_jax.ngram.fit(words, vocab, order=order)


def table(vocab, words):
    return mm_jax.counts.fit(words, vocab, smoothing=0.5)


def toy(vocab, words):
    return drawn(SEQUENTIAL_TOY.init, vocab, seed=3)


def mixed(*makers):
    def make(vocab, words):
        members = tuple(maker(vocab, words) for maker in makers)
        return mm_jax.Mixture(members=members, scores=jax.device_put(np.float32([0.5, -0.5])), vocab=vocab)

    return make


def multiplied(*makers):
    def make(vocab, words):
        return mm_jax.product.of([maker(vocab, words) for maker in makers], powers=[1.0, 0.5])

    return make


def widened(module):
    """Of a vocabulary that lacks a character, `h` or `b`."""

    def make(vocab, words):
        lacking = vocab.symbols[min(4, len(vocab) - 1)]
        narrow = mm_jax.Vocab.of([symbol for symbol in vocab.symbols if symbol != lacking], vocab.units)
        return models.widened.wrap(drawn(module.init, narrow, seed=5), vocab)

    return make


def a_network(vocab, words):
    return mm_jax.network.wrap(causal, variables_of_causal(vocab), vocab, max_length=16)


def lecture(vocab, words):
    return drawn(mm_jax.mlp.init, vocab, seed=2, block_size=2, embedding_dim=3, hidden_dim=8, init="lecture")


# By the name of the module, the first way of a kind; a module that is not here is made by `small`.
OTHERS = {
    "counts": table,
    "ngram": ngrams,
    "mixture": mixed(ngrams, table),
    "product": multiplied(ngrams, table),
    "fresh": lambda vocab, words: models.fresh.wrap(ngrams(vocab, words), words[:3], share=0.3),
    "widened": widened(WINDOWED_TOY),
    "network": a_network,
}
SECOND = {
    "ngram of order 1": functools.partial(ngrams, order=1),
    "mixture, sequential": mixed(ngrams, toy),
    "product, sequential": multiplied(ngrams, toy),
    "fresh, sequential": lambda vocab, words: models.fresh.wrap(toy(vocab, words), words[:3]),
    "widened, sequential": widened(SEQUENTIAL_TOY),
    "bigram of counts": lambda vocab, words: mm_jax.bigram.from_counts(table(vocab, words)),
    "mlp of the lecture": lecture,
}
SMALL = {short(module): functools.partial(small, module) for module in MODULES if short(module) not in OTHERS}
MAKERS = SMALL | OTHERS | SECOND
KINDS = sorted(SMALL | OTHERS)  # one model of every module
EVERY = sorted(MAKERS)
# One of every way in which predictions are read: NumPy's, of contexts, of whole words by members, of bounded ones.
READ = ["mixture, sequential", "mlp", "ngram", "transformer"]
# And those that the quick tests of every property take: a user's own beside them, which steps as no other does.
QUICK = [*READ, "network"]
OTHERS_TO_READ = [name for name in EVERY if name not in READ]  # in the long tests
# The state is a window; the others see the whole word.
_COMBINED = ["mixture", "product"]  # of windowed models
_SLIDE = {short(module) for module in MODULES if module.MODEL.advance is unrolling.slide}
WINDOWED = sorted([*_SLIDE, *_COMBINED, "bigram of counts", "mlp of the lecture", "ngram of order 1"])
# New parameters, to be trained by gradient steps.
TRAINED = [name for name in [*SMALL, "network", "mlp of the lecture"] if name in EVERY]
WORDS = {".ab": ("ab", "ba", "b", "abba"), VOCAB.chars: tuple(FIRST_FIVE)}


@functools.cache
def model(name, chars=VOCAB.chars):
    """A model of few numbers by its name, made when it is first asked for."""
    with jax.numpy_dtype_promotion("standard"):
        return MAKERS[name](mm_jax.Vocab(chars), list(WORDS[chars]))


def each_of(names, chars=VOCAB.chars, slow=()):
    """Runs a test on each of some models, and in the long tests on others; the fixture `params` makes a model."""
    params = [pytest.param((name, chars), id=name) for name in names]
    params += [pytest.param((name, chars), id=name, marks=pytest.mark.slow) for name in slow]
    return pytest.mark.parametrize("params", params, indirect=True)


def array(values):
    """A float32 array on the device: nothing is compiled."""
    return jax.device_put(np.float32(values))


def louder(params):
    """The parameters three times as large: the output layer starts near 0, and differences are to be seen."""
    return jax.tree.map(lambda leaf: np.asarray(leaf) * np.float32(3), params)


def prefixes_of(words):
    """The distinct prefixes of some words in the order of the trie: by length, then as in the alphabet."""
    return sorted({word[:t] for word in words for t in range(len(word) + 1)}, key=lambda each: (len(each), each))


# One program each a model, for all tests of a process: a test compiles nothing of its own that is here.
COMPILED = jax.jit(contract.advance), jax.jit(contract.logits)
PLAIN = contract.advance, contract.logits
unrolled = jax.jit(contract.unroll)
started = jax.jit(contract.start)


def by_steps(params, tokens, verbs=COMPILED):
    """The rows of `unroll`, token by token: float32 [length + 1, vocab_size]."""
    advance, logits = verbs
    state = started(params)
    rows = [logits(params, state)]
    for token in np.asarray(tokens, np.int32):
        state = advance(params, state, token)
        rows.append(logits(params, state))
    return np.stack(rows)
