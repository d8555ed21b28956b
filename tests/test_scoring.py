import itertools

import numpy as np
import pytest

import mm_jax
from mm_jax import Vocab

from .conftest import FIRST_FIVE, softmax
from .models.zoo import EVERY, OTHERS_TO_READ, READ, VOCAB, by_steps, each_of

AB = Vocab(".ab")
SOME = ["counts", "fresh", "gru", "mixture"]


@each_of(READ, slow=OTHERS_TO_READ)
def test_against_the_logits_one_by_one(params):
    found = mm_jax.score(params, "olivia")
    assert "".join(each.character for each in found.characters) == "olivia."
    rows = by_steps(params, VOCAB.encode("olivia"))
    for each, row in zip(found.characters, rows, strict=True):
        p = softmax(row)
        token = VOCAB.chars.index(each.character)
        assert each.probability == pytest.approx(p[token], rel=1e-4)
        assert each.nll == pytest.approx(-np.log(p[token]), rel=1e-4, abs=1e-6)
        assert each.rank <= 1 + (p > p[token] * (1 - 1e-5)).sum() and each.rank > (p > p[token] * (1 + 1e-5)).sum()
        assert [q for _, q in each.likeliest] == pytest.approx(sorted(p.tolist())[::-1][:3], rel=1e-4)
    assert found.nll == pytest.approx(mm_jax.evaluate(params, ["olivia"]).nll * 7, rel=1e-5)


def test_impossible_is_inf_and_its_bar_says_so():
    found = mm_jax.score(mm_jax.counts.fit(FIRST_FIVE, VOCAB), "emb")
    assert found.nll == float("inf")
    lines = str(found).splitlines()
    assert lines[3].startswith("b") and ">" in lines[3]
    assert lines[1].count("#") == round(found.characters[0].nll / 8 * 24)
    assert all(len(line) <= 80 for line in lines)


def test_refuses():
    params = mm_jax.counts.fit(["ab"], Vocab(".ab"))
    with pytest.raises(ValueError, match="an empty word"):
        mm_jax.score(params, "")
    with pytest.raises(ValueError, match="character 2 is 'c'"):
        mm_jax.score(params, "ac")


def test_most_common():
    counts = mm_jax.counts.fit(FIRST_FIVE, VOCAB)
    assert mm_jax.counts.most_common(counts, 2) == [("a.", 5), ("ia", 2)]
    assert sum(n for _, n in mm_jax.counts.most_common(counts, 999)) == 32


@each_of(SOME, AB.chars, slow=[name for name in EVERY if name not in SOME])
def test_all_short_words_and_what_they_leave_make_one(params):
    """Words of up to 3 characters, and the prefixes of 4 that stand for all others."""
    words = ["".join(chars) for length in range(1, 4) for chars in itertools.product("ab", repeat=length)]
    empty = softmax(by_steps(params, [])[0])[0]
    whole = sum(np.exp(-mm_jax.score(params, word).nll) for word in words)
    longer = ("".join(chars) for chars in itertools.product("ab", repeat=4))
    others = sum(np.exp(-sum(each.nll for each in mm_jax.score(params, word).characters[:-1])) for word in longer)
    assert empty + whole + others == pytest.approx(1, abs=1e-5)
