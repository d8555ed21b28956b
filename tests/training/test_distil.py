import functools

import jax
import numpy as np
import pytest

import mm_jax
from mm_jax.training import distil as distillation

from ..conftest import LETTERS

WORDS = mm_jax.load_words(mm_jax.words.bundled_names())[::60]


@functools.cache
def teacher():
    return mm_jax.ngram.fit(WORDS, LETTERS, order=3)


def test_new_words_are_new_distinct_and_no_longer_than_the_list():
    drawn = distillation.new_words(teacher(), WORDS, jax.random.key(0), 500)
    assert len(drawn) == len(set(drawn)) == 500
    assert not set(drawn) & {"", *WORDS}
    assert max(map(len, drawn)) <= max(map(len, WORDS))
    assert len({word[0] for word in drawn}) > 5


def test_where_a_teacher_knows_no_more_fewer_words_come():
    vocab = mm_jax.Vocab(".ab")
    parrot = mm_jax.ngram.fit(["ab", "b"], vocab, order=2, smoothing="none")
    assert distillation.new_words(parrot, ["ab"], jax.random.key(0), 50) == ["b"]


@pytest.mark.slow
def test_a_model_that_reads_no_longer_words_draws_none():
    short = mm_jax.transformer.init(jax.random.key(0), LETTERS, num_layers=1, num_heads=1, width=4, max_length=3)
    drawn = distillation.new_words(short, ["emma", "olivia"], jax.random.key(1), 20)
    assert max(map(len, drawn)) <= 3


def student(seed=0):
    return mm_jax.mlp.init(jax.random.key(seed), LETTERS, hidden_dim=64)


@pytest.mark.slow
def test_a_student_learns_its_teacher_beyond_the_list():
    """Its distance from the teacher, on words of the teacher that neither of the two fits saw."""
    unseen = distillation.new_words(teacher(), WORDS, jax.random.key(9), 300)
    options = {"steps": 200, "learning_rate": 0.01}
    taught, history = mm_jax.distil(student(), teacher(), WORDS, jax.random.key(1), num_words=1000, **options)
    alone, _ = mm_jax.fit(
        student(), WORDS, jax.random.key(1), optimizer=mm_jax.training.recipes.adamw, draw="words", **options
    )
    assert history.loss.shape == (200,)
    asked = [mm_jax.evaluate(model, unseen).nll for model in (teacher(), taught, alone)]
    assert asked[0] < asked[1] < asked[2]


def test_an_epoch_holds_the_list_twice_and_the_drawn_words_once():
    few, new = ["emma", "ava", "mia"], ["emmi", "oli"]
    packed, recipe = distillation.student_batches(student(), teacher(), few, new, batch_size=2)
    text = "".join(LETTERS.chars[token] for token in np.asarray(packed.targets).reshape(-1))
    assert sorted(word for word in text.split(".") if word) == sorted([*few, *few, *new])
    assert recipe.steps == 6 * len(packed.targets) // 2
    assert recipe.weight_decay == pytest.approx(0.02)
    assert distillation.student_batches(student(), teacher(), few, new, steps=7)[1].steps == 7


@pytest.mark.slow
def test_the_same_key_is_the_same_student():
    options = {"num_words": 100, "steps": 5}
    first, second = (mm_jax.distil(student(), teacher(), WORDS, jax.random.key(3), **options)[0] for _ in range(2))
    assert jax.tree.all(jax.tree.map(lambda a, b: bool((a == b).all()), first, second))
