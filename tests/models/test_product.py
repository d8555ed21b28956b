"""Products of models: by hand, against the definition, and where members agree on nothing."""

import dataclasses
import itertools

import jax
import numpy as np
import pytest
from scipy.optimize import minimize  # JAX requires SciPy

import mm_jax
from mm_jax import Vocab
from mm_jax.models import ngram, widened
from mm_jax.models.prediction import log_probs

from ..conftest import FIRST_FIVE, softmax
from .zoo import VOCAB, by_steps, model

AB = Vocab(".ab")


def test_by_hand():
    """After `.`: (1, 2, 1) / 4 times (1, 3, 1) / 5 is (1, 6, 1) / 8."""
    tables = [mm_jax.counts.fit(["a"] * times, AB, smoothing=1.0) for times in (1, 2)]
    params = mm_jax.product.of(tables)
    np.testing.assert_allclose(np.exp(by_steps(params, [])[0]), np.array([1, 6, 1]) / 8, rtol=1e-5)
    squared = mm_jax.product.of(tables, [2.0, 1.0])
    np.testing.assert_allclose(np.exp(by_steps(squared, [])[0]), np.array([1, 12, 1]) / 14, rtol=1e-5)
    np.testing.assert_allclose(log_probs(squared, np.array([[0]], np.int32))[0], by_steps(squared, [])[0], rtol=1e-5)


@pytest.mark.parametrize("name", ["product", "product, sequential"])
def test_against_the_members(name):
    params, tokens = model(name), VOCAB.encode("oli")
    expected = np.ones((len(tokens) + 1, len(VOCAB)))
    for member, power in zip(params.members, (1.0, 0.5), strict=True):
        expected *= np.stack([softmax(row) for row in by_steps(member, tokens)]) ** power
    found = np.exp(by_steps(params, tokens))
    np.testing.assert_allclose(found, expected / expected.sum(1, keepdims=True), rtol=1e-4)


def test_a_geometric_mean_of_a_model_with_itself_is_that_model():
    one = ngram.fit(FIRST_FIVE, VOCAB, order=3)
    mean = mm_jax.product.of([one, one], [0.5, 0.5])
    assert mm_jax.evaluate(mean, FIRST_FIVE).nll == pytest.approx(mm_jax.evaluate(one, FIRST_FIVE).nll, rel=1e-5)
    assert mm_jax.evaluate(mm_jax.product.of([one, one]), FIRST_FIVE).nll < mm_jax.evaluate(one, FIRST_FIVE).nll


def test_a_word_ends_where_the_members_agree_on_nothing():
    """`ab` or nothing, and `ba` or nothing: after the first character of one, the other knows no next."""
    params = mm_jax.product.of([mm_jax.counts.fit(words, AB) for words in (["ab", "aa"], ["ba", "aba"])])
    assert mm_jax.sample(params, jax.random.key(0), 20) == mm_jax.sample(params, jax.random.key(0), 20)
    disjoint = mm_jax.product.of([mm_jax.counts.fit([word], AB) for word in ("a", "b")])
    np.testing.assert_array_equal(np.exp(by_steps(disjoint, [])[0]), [1, 0, 0])
    np.testing.assert_array_equal(np.exp(log_probs(disjoint, np.array([[0]], np.int32))[0]), [1, 0, 0])
    assert mm_jax.sample(disjoint, jax.random.key(0), 3, min_length=0) == ["", "", ""]
    assert mm_jax.score(disjoint, "a").nll == np.inf


def test_of_two_alphabets_words_have_the_characters_of_both():
    vocab = Vocab(".abc")
    members = [mm_jax.counts.fit([word], Vocab(f".{word}"), smoothing=1.0) for word in ("ab", "bc")]
    params = mm_jax.product.of([widened.wrap(member, vocab) for member in members])
    assert set("".join(mm_jax.sample(params, jax.random.key(0), 50))) == {"b"}


def test_refuses():
    one = mm_jax.counts.fit(["ab"], AB)
    for members, powers, message in (
        ([one], None, "a product needs two or more models"),
        ([one, mm_jax.counts.fit(["a"], Vocab(".a"))], None, "all of one vocabulary"),
        ([one, one], [1.0], "1 powers for 2 models: give one each"),
        ([one, one], [1.0, 0.0], "powers is 0.0: give a positive number"),
    ):
        with pytest.raises(ValueError, match=message):
            mm_jax.product.of(members, powers)
    wrong = dataclasses.replace(mm_jax.product.of([one, one]), powers=jax.device_put(np.float32([1.0, -1.0])))
    with pytest.raises(ValueError, match="its powers are not positive"):
        mm_jax.product.validate(wrong)


def test_fitted_powers_are_the_best():
    """Of 0.5 to 1.5 times each power none is better; the loss of the fit is that of `evaluate`."""
    train, dev = FIRST_FIVE[:3], FIRST_FIVE[3:]
    members = [mm_jax.counts.fit(train, VOCAB, smoothing=0.1), ngram.fit(train, VOCAB, order=3)]
    fitted = mm_jax.product.fit(members, dev)
    best, powers = mm_jax.evaluate(fitted, dev).nll, fitted.powers.tolist()
    for factors in itertools.product((0.5, 0.9, 1.0, 1.1, 1.5), repeat=2):
        other = mm_jax.product.of(members, [f * max(p, 0.01) for f, p in zip(factors, powers, strict=True)])
        assert mm_jax.evaluate(other, dev).nll >= best - 1e-5
    assert best < min(mm_jax.evaluate(member, dev).nll for member in members)


def test_equal_members_share_the_power_that_one_alone_would_have():
    train, dev = FIRST_FIVE[:3], FIRST_FIVE[3:]
    one = ngram.fit(train, VOCAB, order=2)
    two, three = (mm_jax.product.fit([one] * count, dev).powers for count in (2, 3))
    assert float(two.sum()) == pytest.approx(float(three.sum()), rel=0.01)
    assert float(np.ptp(two)) < 0.01  # from equal powers they stay equal


@pytest.mark.parametrize("pull", [0.0, 20.0])
def test_powers_are_those_of_another_optimizer(pull):
    """One of three members says the opposite: its power stays at the bound."""
    draw = np.random.default_rng(0)
    base = draw.normal(size=(300, 20))
    noise = draw.normal(size=(2, *base.shape))
    rows = np.stack([0.4 * base + noise[0], 0.9 * base + noise[1], -0.5 * base]).astype(np.float32)
    rows -= np.log(np.exp(rows).sum(-1, keepdims=True))
    p = np.exp(base) / np.exp(base).sum(-1, keepdims=True)
    ids, start = np.repeat(np.arange(300), 3), np.full(3, 1 / 3)
    targets = np.array([draw.choice(20, p=p[i]) for i in ids])

    def loss(powers):
        total = np.tensordot(powers, rows.astype(np.float64), 1)
        nll = np.log(np.exp(total).sum(-1))[ids] - total[ids, targets]
        return nll.sum() + pull * ((powers - start) ** 2).sum()

    powers, nll = mm_jax.product.fit_powers(rows, ids, targets, start, pull)
    options = {"ftol": 1e-15, "gtol": 1e-8}
    expected = minimize(loss, start, method="L-BFGS-B", bounds=[(1e-4, None)] * 3, options=options).x
    np.testing.assert_allclose(powers, expected, rtol=1e-3)
    assert powers[2] == 1e-4
    assert nll == pytest.approx((loss(powers) - pull * ((powers - start) ** 2).sum()) / len(ids), rel=1e-6)


def test_powers_are_not_fitted_on_what_a_member_rules_out():
    members = [mm_jax.counts.fit(["ab"], AB), mm_jax.counts.fit(["ab"], AB, smoothing=1.0)]
    with pytest.raises(ValueError, match="expects none of one of the characters"):
        mm_jax.product.fit(members, ["ba"])
    with pytest.raises(ValueError, match="two or more models"):
        mm_jax.product.fit(members[:1], ["ab"])


def test_what_a_member_rules_out_and_never_came_leaves_the_powers_numbers():
    """Row: one prefix, three tokens; the last is impossible to the first member, and follows nowhere."""
    p = np.array([[[0.5, 0.5, 0.0]], [[0.6, 0.3, 0.1]]], np.float32)
    with np.errstate(divide="ignore"):
        rows = np.log(p)
    ids, targets, start = np.zeros(4, int), np.array([0, 0, 0, 1]), np.array([0.5, 0.5])
    powers, nll = mm_jax.product.fit_powers(rows, ids, targets, start, pull=1.0)
    product = np.where(p[0, 0] > 0, np.prod(p[:, 0] ** powers[:, None], axis=0), 0)
    expected = -np.log((product / product.sum())[targets]).mean()
    assert nll == pytest.approx(expected, rel=1e-5)
