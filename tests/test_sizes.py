"""Sizes are weighed before anything is made."""

import os
import time
from pathlib import Path

import jax
import pytest

import mm_jax
from mm_jax.learning import plans, sizes
from mm_jax.training.recipes import recipes_of
from mm_jax.words import WordList

WORDS = WordList.of(["anna", "hanna", "nana", "anne", "ann", "nan", "hannah"] * 10)
KEY = jax.random.key(0)


@pytest.mark.parametrize("name", ["mlp", "gru", "rnn", "bow", "transformer", "bigram"])
def test_the_numbers_are_those_of_the_model(name):
    recipe = next(iter(recipes_of(mm_jax.models.makeable()[name]).values()))
    options = {"num_layers": 6, "num_heads": 2, "width": 8} if name == "transformer" else {}
    made = jax.eval_shape(lambda key: mm_jax.models.makeable()[name].init(key, WORDS.vocab, **options), KEY)
    found = sizes.of(name, options, recipe, WORDS)
    assert found.numbers == mm_jax.num_params(made)
    assert 12 * found.numbers < found.bytes < 1e9  # with gradient and state; and nothing common is refused


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("mlp", {"hidden_dim": 10**8}, r"mlp: \d.\de\+09 numbers, which take"),
        ("gru", {"hidden_dim": 10**8}, r"gru: 3.0e\+16 numbers, which take"),
        ("gru", {"hidden_dim": 2**31 - 1}, "more numbers than an array holds"),
        ("transformer", {"num_layers": 10**8}, "numbers, which take"),
        ("transformer", {"max_length": 2 * 10**9}, "numbers, which take"),
        ("mlp", {"block_size": 2 * 10**9}, "numbers, which take"),
        ("mlp", {"batch_size": 2 * 10**9}, "numbers, which take"),
        ("rnn", {"batch_size": 2 * 10**9}, "numbers, which take"),
        ("mlp", {"steps": 2**31 - 1}, "numbers, which take"),
        ("mlp", {"hidden_dim": 10**8, "learning_rate": "auto"}, "numbers, which take"),
    ],
)
def test_what_this_machine_does_not_hold_is_refused_at_once(name, given, said, monkeypatch):
    monkeypatch.setattr(sizes, "memory", lambda: 32 * 2**30)
    begin = time.monotonic()
    with pytest.raises(ValueError, match=f"{said}.*give smaller sizes"):
        plans.plan_for(WORDS, name, None, given, key=KEY)
    assert time.monotonic() - begin < 20


def test_a_large_network_says_so(caplog, monkeypatch):
    monkeypatch.setattr(sizes, "memory", lambda: 10**15)
    caplog.set_level("INFO", "mm_jax")
    plans.plan_for(WORDS, "mlp", None, {"hidden_dim": 10**6}, key=KEY)
    assert "numbers, which take" in caplog.text
    caplog.clear()
    plans.plan_for(WORDS, "mlp", None, {}, key=KEY)
    assert caplog.text == ""


def test_the_memory_is_that_of_the_machine_or_of_its_container():
    assert 2**28 < sizes.memory() <= os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.is_file() and limit.read_text().strip().isdecimal():
        assert sizes.memory() <= int(limit.read_text())
