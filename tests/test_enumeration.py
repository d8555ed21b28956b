import itertools

import jax
import numpy as np
import pytest

import mm_jax
from mm_jax import Vocab

from .models.zoo import EVERY, each_of

VOCAB = Vocab(".ab")
SOME = ["fresh", "mixture, sequential", "mlp"]


@each_of(SOME, ".ab", slow=[name for name in EVERY if name not in SOME])
def test_against_brute_force(params):
    every = ["".join(chars) for n in range(1, 7) for chars in itertools.product("ab", repeat=n)]
    p = {word: np.exp(-mm_jax.score(params, word).nll) for word in every}
    exclude = {"ab", "b"}
    best = sorted((word for word in every if word not in exclude and p[word] > 0), key=lambda word: -p[word])[:12]
    found = mm_jax.most_probable(params, 12, exclude=exclude, max_length=6)
    np.testing.assert_allclose([q for _, q in found], [p[word] for word in best], rtol=1e-4)
    assert {word for word, q in found if q > p[best[-1]] * 1.001} == {w for w in best if p[w] > p[best[-1]] * 1.001}
    assert found == mm_jax.most_probable(params, 12, exclude=exclude, max_length=6)


def test_bounds():
    params = mm_jax.counts.fit(["ab"], VOCAB)
    assert mm_jax.most_probable(params, 5) == [("ab", pytest.approx(1.0))]
    assert mm_jax.most_probable(params, 5, max_length=1) == []
    with pytest.raises(ValueError, match="k is 0"):
        mm_jax.most_probable(params, 0)


def test_a_spent_budget_leaves_the_best():
    """With 5 prefixes extended fewer words come back: the first of what a search without bounds finds."""
    flat = mm_jax.mlp.init(jax.random.key(0), VOCAB, hidden_dim=4)
    whole = mm_jax.most_probable(flat, 100)
    part = mm_jax.most_probable(flat, 100, budget=5)
    assert len(whole) == 100
    assert 0 < len(part) < 6
    assert part == whole[: len(part)]
    assert mm_jax.most_probable(flat, 100, budget=0) == []
