"""Models of a user's own beside each other, as the cells of a notebook make them: a class keeps its own functions."""

import sys
import types

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mm_jax
from mm_jax import Vocab

from ..conftest import slow
from .zoo import COMPILED, started, unrolled

VOCAB = Vocab(".ab")
WORDS = ["ab", "b", "abb", "ba"]
W = np.array([[0, 1, 2], [2, 0, 1], [1, 2, 0]], np.float32)


@mm_jax.pytree
class One:
    """A table of pairs."""

    W: jax.Array
    vocab: Vocab


def logits_of_one(params, context):
    return params.W[context[0]]


@mm_jax.pytree
class Two:
    """The same table, five times as steep, after the last token but one."""

    W: jax.Array
    vocab: Vocab


def logits_of_two(params, context):
    return 5 * params.W[context[0]]


@mm_jax.pytree
class Three:
    """The same table, read by the number of characters so far."""

    W: jax.Array
    vocab: Vocab


def logits_of_three(params, state):
    return params.W[state % 3]


mm_jax.windowed(One, block_size=lambda params: 1, logits=logits_of_one)
mm_jax.windowed(Two, block_size=lambda params: 2, logits=logits_of_two)
mm_jax.sequential(
    Three,
    start=lambda params: jnp.int32(0),
    advance=lambda params, state, token: state + 1,
    logits=logits_of_three,
)

# p(next | what was read) of each, in NumPy: the row of W, after a prefix of tokens.
ROWS = {
    One: lambda tokens: W[[0, *tokens][-1]],
    Two: lambda tokens: 5 * W[[0, 0, *tokens][-2]],
    Three: lambda tokens: W[len(tokens) % 3],
}


def new(cls):
    return cls(W=jax.device_put(W), vocab=VOCAB)


def nll(cls, words):
    total = 0.0
    for word in words:
        tokens = [*VOCAB.encode(word).tolist(), 0]
        for t, token in enumerate(tokens):
            row = ROWS[cls](tokens[:t]).astype(np.float64)
            total += np.log(np.exp(row).sum()) - row[token]
    return total / sum(len(word) + 1 for word in words)


@pytest.mark.parametrize("cls", [*list(ROWS)[:2], *slow(list(ROWS)[2:])], ids=lambda cls: cls.__name__)
def test_every_verb_reads_its_own_class(cls):
    params = new(cls)
    expected = np.stack([ROWS[cls](tokens) for tokens in ([], [1], [1, 2])])
    np.testing.assert_allclose(unrolled(params, np.array([1, 2], np.int32)), expected)
    np.testing.assert_allclose(COMPILED[1](params, started(params)), expected[0])
    assert mm_jax.evaluate(params, WORDS).nll == pytest.approx(nll(cls, WORDS), rel=1e-5)
    assert mm_jax.score(params, "ab").nll == pytest.approx(3 * nll(cls, ["ab"]), rel=1e-5)
    (word, p), *_ = mm_jax.most_probable(params, 1, max_length=4)
    assert p == pytest.approx(np.exp(-(len(word) + 1) * nll(cls, [word])), rel=1e-4)
    assert len(mm_jax.sample(params, jax.random.key(0), 5)) == 5


def test_programs_compiled_before_and_after_are_those_of_the_class():
    before = [mm_jax.evaluate(new(cls), WORDS).nll for cls in ROWS]
    jax.clear_caches()
    assert [mm_jax.evaluate(new(cls), WORDS).nll for cls in ROWS] == before
    assert len({round(value, 3) for value in before}) == 3


def test_a_mixture_of_them():
    members = [new(cls) for cls in ROWS]
    mixed = mm_jax.mixture.fit(members, WORDS)
    assert mm_jax.evaluate(mixed, WORDS).nll <= min(mm_jax.evaluate(each, WORDS).nll for each in members) + 1e-3


CELL = """
@mm_jax.pytree
class Table:
    W: jax.Array
    vocab: mm_jax.Vocab

def logits(params, context):
    return {steep} * params.W[context[0]]

mm_jax.windowed(Table, block_size=lambda params: 1, logits=logits)
params = Table(W=jax.device_put(W), vocab=VOCAB)
"""


@pytest.fixture
def notebook(monkeypatch):
    """A module of its own, to run cells in."""
    module = types.ModuleType("a_notebook")
    vars(module).update(jax=jax, mm_jax=mm_jax, W=W, VOCAB=VOCAB)
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


def test_a_class_defined_again_is_a_new_model_and_the_old_one_still_works(notebook):
    exec(CELL.format(steep=1), vars(notebook))
    old, before = notebook.params, mm_jax.evaluate(notebook.params, WORDS).nll
    exec(CELL.format(steep=5), vars(notebook))
    np.testing.assert_allclose(mm_jax.logits(notebook.params, [1]), 5 * W[1])
    assert mm_jax.evaluate(notebook.params, WORDS).nll != pytest.approx(before, abs=0.01)
    np.testing.assert_allclose(mm_jax.logits(old, [1]), W[1])
    assert mm_jax.evaluate(old, WORDS).nll == pytest.approx(before, abs=1e-6)
    jax.clear_caches()
    assert mm_jax.evaluate(old, WORDS).nll == pytest.approx(before, abs=1e-6)


def test_a_class_registered_again_has_its_new_functions_in_compiled_programs_too(notebook):
    exec(CELL.format(steep=1), vars(notebook))
    compiled, cls = jax.jit(mm_jax.logits), type(notebook.params)
    context = np.array([1], np.int32)
    np.testing.assert_allclose(compiled(notebook.params, context), W[1])
    likeliest = mm_jax.sample(notebook.params, jax.random.key(0), 1, temperature=0, max_length=3)
    mm_jax.windowed(cls, block_size=lambda params: 1, logits=lambda params, context: -params.W[context[0]])
    np.testing.assert_allclose(compiled(notebook.params, context), -W[1])
    assert mm_jax.sample(notebook.params, jax.random.key(0), 1, temperature=0, max_length=3) != likeliest


def test_a_class_that_was_not_registered_is_refused_with_the_lines_that_register_it(notebook):
    """Even where functions of the usual names stand beside it, or its base class is a model."""
    exec(CELL.format(steep=1).replace("mm_jax.windowed(", "dict(cls="), vars(notebook))

    @mm_jax.pytree
    class Half(One):
        pass

    for params in (notebook.params, Half(W=jax.device_put(W), vocab=VOCAB)):
        for verb in (mm_jax.start, lambda params: mm_jax.evaluate(params, WORDS)):
            with pytest.raises(ValueError, match="is not a model") as refusal:
                verb(params)
            name = type(params).__name__
            assert name in str(refusal.value)
            assert f"mm_jax.windowed({name}, " in str(refusal.value)
            assert f"mm_jax.sequential({name}, " in str(refusal.value)
