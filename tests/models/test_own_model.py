"""A model of a user's own in one file gets every verb: nothing else in the package names it."""

import inspect

import jax
import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

import mm_jax
from mm_jax import plotting
from mm_jax.models import contract
from mm_jax.training.recipes import recipes_of

from ..conftest import BUNDLED, LETTERS, drawn, equal, log_softmax, slow
from .zoo import COMPILED, SEQUENTIAL_TOY, WINDOWED_TOY, started

matplotlib.use("agg")
WORDS = BUNDLED[::40]
TOYS = {"windowed": WINDOWED_TOY, "sequential": SEQUENTIAL_TOY}
toys = pytest.mark.parametrize("module", TOYS.values(), ids=TOYS)
# Every public verb: what takes any model's parameters. A new one fails `test_every_verb_is_here` until it is tried.
VERBS = [
    "start",
    "advance",
    "logits",
    "unroll",
    "num_params",
    "fit",
    "distil",
    "evaluate",
    "score",
    "sample",
    "more",
    "most_probable",
    "rank",
    "save",
    "load",
    "member",
    "fit_population",
    "evaluate_population",
    "best_on_dev",
    "lr_range_test",
    "try_rates",
]
TRIED_ELSEWHERE = {"num_params", "advance", "logits", "start", "unroll"}  # with all models, in test_contract


@pytest.fixture(autouse=True)
def standard_promotion():
    """optax.adam needs it."""
    with jax.numpy_dtype_promotion("standard"):
        yield


def new(module, seed=0):
    return drawn(module.init, LETTERS, seed=seed)


def draws_of(module):
    return ["examples", "contexts", "words"] if hasattr(module, "block_size") else ["words"]


def test_every_verb_is_here():
    functions = {name: getattr(mm_jax, name) for name in mm_jax.__all__ if inspect.isfunction(getattr(mm_jax, name))}
    of_models = {name for name, each in functions.items() if "params" in inspect.signature(each).parameters}
    assert of_models <= {*VERBS}
    here = "".join(inspect.getsource(each) for name, each in globals().items() if name.startswith("test_"))
    assert not [name for name in set(VERBS) - TRIED_ELSEWHERE if f"mm_jax.{name}(" not in here]


def test_only_what_is_declared_static_is():
    """The toys' files have string annotations."""
    toy = new(WINDOWED_TOY)
    assert type(toy).static_fields == ("vocab", "reach")
    assert [leaf.shape for leaf in jax.tree.leaves(toy)] == [(2, 27, 27), (1,)]
    assert new(SEQUENTIAL_TOY).longest == 16


@toys
@pytest.mark.slow
def test_fit_by_each_draw(module):
    for draw in draws_of(module):
        before = mm_jax.evaluate(new(module), WORDS).nll
        params, history = mm_jax.fit(
            new(module), WORDS, jax.random.key(1), steps=60, draw=draw, learning_rate=0.5, dev=WORDS
        )
        assert mm_jax.evaluate(params, WORDS).nll < before - 0.1, draw
        assert history.dev[0][1] == pytest.approx(before, abs=1e-5)
    # The penalty is that of fields whose names begin with W.
    plain = mm_jax.fit(new(module), WORDS, jax.random.key(1), steps=1)[1].loss[0]
    if module is WINDOWED_TOY:
        penalty = mm_jax.fit(new(module), WORDS, jax.random.key(1), steps=1, l2=2.0)[1].loss[0] - plain
        assert penalty == pytest.approx(2 * np.square(new(module).W).mean(), rel=1e-4)


def test_contexts_are_for_windows():
    with pytest.raises(ValueError, match="sees the whole word: draw is 'contexts', choose 'words'"):
        mm_jax.fit(new(SEQUENTIAL_TOY), WORDS, jax.random.key(0), steps=1, draw="contexts")


@toys
def test_read_and_drawn(module):
    params = new(module)
    words = mm_jax.sample(params, jax.random.key(2), 20, prefix="ma", max_length=10)
    assert len(words) == 20 and all(word.startswith("ma") and len(word) <= 10 for word in words)
    listed = mm_jax.more(params, WORDS, jax.random.key(2), 5, conditions=mm_jax.Conditions(new=True))
    assert len(listed.words) == 5 and not set(listed.words) & set(WORDS)
    assert mm_jax.score(params, "mara").nll == pytest.approx(mm_jax.evaluate(params, ["mara"]).nll * 5, rel=1e-5)
    (word, p), *_ = mm_jax.most_probable(params, 3, max_length=6)
    assert p == pytest.approx(np.exp(-mm_jax.score(params, word).nll), rel=1e-4)
    assert mm_jax.rank(params, word, jax.random.key(5)).rank == 1
    row = COMPILED[1](params, started(params))
    assert mm_jax.score(params, "m").characters[0].nll == pytest.approx(-log_softmax(row)[13], rel=1e-5)


def test_the_longest_word_is_known_to_all():
    params, long = new(SEQUENTIAL_TOY), "a" * 17
    assert max(map(len, mm_jax.sample(params, jax.random.key(0), 500))) == 16
    for read in (
        lambda: mm_jax.evaluate(params, ["ab", long]),
        lambda: mm_jax.score(params, long),
        lambda: mm_jax.fit(params, [long], jax.random.key(0), steps=1),
        lambda: mm_jax.fit(params, ["ab"], jax.random.key(0), steps=1, dev=[long]),
        lambda: mm_jax.mixture.fit([params, params], [long]),
    ):
        with pytest.raises(ValueError, match="'aaaaaaaaaaaaaaaaa' has 17 characters, and this Running reads 16"):
            read()
    with pytest.raises(ValueError, match="max_length is 17: this Running reads 16 at most"):
        mm_jax.sample(params, jax.random.key(0), max_length=17)


@toys
def test_saved_and_loaded(module, tmp_path):
    params = new(module)
    mm_jax.save(params, tmp_path / "toy.safetensors")
    again = mm_jax.load(tmp_path / "toy.safetensors")
    assert equal(params, again) and type(again) is type(params)
    assert equal(params, mm_jax.load(tmp_path / "toy.safetensors", like=new(module, 5)))


@pytest.mark.parametrize("module", [TOYS["sequential"], *slow([TOYS["windowed"]])], ids=lambda module: module.__name__)
def test_in_a_mixture_and_as_a_student(module):
    table = mm_jax.counts.fit(WORDS, LETTERS, 1.0)
    mixed = mm_jax.mixture.fit([new(module), table], WORDS)
    assert float(mixed.weights[1]) > 0.9
    assert mm_jax.evaluate(mixed, WORDS).nll <= mm_jax.evaluate(table, WORDS).nll + 1e-3
    assert (contract.block_size(mixed) is None) == (module is SEQUENTIAL_TOY)
    student, _ = mm_jax.distil(new(module), table, WORDS, jax.random.key(0), steps=20, num_words=50)
    assert mm_jax.evaluate(student, WORDS).nll < mm_jax.evaluate(new(module), WORDS).nll


@pytest.mark.slow
def test_in_a_population():
    module = WINDOWED_TOY
    start = jax.vmap(lambda key: module.init(key, LETTERS))(jax.random.split(jax.random.key(0), 3))
    keys = jax.random.split(jax.random.key(1), 3)
    trained, loss = mm_jax.fit_population(start, WORDS, keys, steps=10, learning_rate=[0.01, 0.1, 0.5])
    alone, history = mm_jax.fit(
        mm_jax.member(start, 1), WORDS, jax.random.split(jax.random.key(1), 3)[1], steps=10, learning_rate=0.1
    )
    np.testing.assert_allclose(loss[1], history.loss, rtol=1e-6)
    np.testing.assert_allclose(
        mm_jax.evaluate_population(trained, WORDS)[1], mm_jax.evaluate(alone, WORDS).nll, rtol=1e-6
    )
    best, params = mm_jax.best_on_dev(trained, WORDS)
    assert equal(params, mm_jax.member(trained, best))


@pytest.mark.slow
def test_rates():
    module = SEQUENTIAL_TOY
    found = mm_jax.lr_range_test(new(module), WORDS, jax.random.key(1), low=0.01, high=1000.0, steps=60)
    assert not found.losses[-1] < found.losses[0]
    assert 0.005 < found.suggestion < 100
    found = mm_jax.try_rates(new(module), WORDS, jax.random.key(1), low=0.01, high=1.0, num_rates=3, steps=20)
    assert found.losses[2] < found.losses[0]


def test_its_own_pictures_and_recipes():
    figure, ax = plt.subplots()
    pictures = plotting.pictures_of(new(WINDOWED_TOY), [])
    assert list(pictures) == ["picture"]
    assert pictures["picture"](ax) is ax and len(ax.images) == 1
    plt.close(figure)
    assert plotting.pictures_of(new(SEQUENTIAL_TOY), []) == {}
    assert recipes_of(WINDOWED_TOY.MODEL)["default"].batch_size == 8
    assert recipes_of(SEQUENTIAL_TOY.MODEL)["default"].draw == "words"
