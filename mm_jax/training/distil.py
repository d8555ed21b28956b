"""Distillation: one network, the student, learns the distribution of a better model, the teacher.

A network of 200,000 parameters soon overfits 25,000 names. A teacher, such as a mixture of several networks and a
Kneser-Ney model, gives a distribution over the next character at any prefix. So new words are drawn from the teacher,
and the student learns the teacher's whole distribution at each of their prefixes. There is no end of such words, and
the distributions leave nothing to memorise.

Source: Hinton et al. (2015), Distilling the knowledge in a neural network.
"""

from collections.abc import Sequence
from typing import Any

import jax
from jaxtyping import Array, Key

from mm_jax.checks import as_list, random_key, whole_number
from mm_jax.models import contract
from mm_jax.models.contract import P, Params
from mm_jax.sampling import SamplingOptions, search
from mm_jax.streams import sizes_of
from mm_jax.symbols import length
from mm_jax.training import batches, loop, whole_words
from mm_jax.training.loop import History, recipe_from
from mm_jax.training.recipes import Recipe

EPOCHS = 6
FOLLOWED = 0.1  # weight of the frequencies of what followed in the targets, at prefixes of real words
DEFAULT = {
    "batch_size": 64,
    "draw": "words",
    "optimizer": "adamw",
    "learning_rate": 0.01,
    "decay": "linear",
    "weight_decay": 0.02,
}


def distil(
    params: P,
    teacher: Params,
    words: Sequence[str],
    key: Key[Array, ""],
    recipe: Recipe | None = None,
    *,
    num_words: int = 100_000,
    dev: Sequence[str] | None = None,
    **options: Any,
) -> tuple[P, History]:
    """Trains a model on a teacher's distribution, at every prefix of words drawn from the teacher and of `words`.

    At prefixes of `words` the frequencies of what followed have a weight of 0.1 in the target. An epoch holds the drawn
    words once and `words` twice.

    Args:
      params: the student, any model that `fit` trains; not changed.
      teacher: any model of the same vocabulary, such as a mixture.
      words: the list that the teacher was trained on. No drawn word is in it, or longer than its longest.
      key: a random key, for the drawn words and the batches.
      recipe: how to train; or else
      options: those of `mm_jax.Recipe`. Defaults: AdamW with a weight_decay of 0.02, batches of 64 rows, a
        learning_rate of 0.01 that falls to 0, steps for six epochs.
      num_words: how many distinct new words to draw; fewer where ten times as many draws do not find them.
      dev: words whose nll is taken during training; training never depends on them.

    Returns the trained student and a History.

    Raises ValueError as `fit` does, and for a teacher of another vocabulary.

    >>> import mm_jax
    >>> words = ["emma", "ava", "mia"]
    >>> vocab = mm_jax.Vocab.from_words(words)
    >>> teacher = mm_jax.ngram.fit(words, vocab, order=3)
    >>> student = mm_jax.mlp.init(jax.random.key(0), vocab, hidden_dim=8)
    >>> student, history = distil(student, teacher, words, jax.random.key(1), num_words=5, steps=10)
    >>> history.loss.shape
    (10,)
    """
    words = as_list(words)
    random_key("key", key)
    batches.check_teacher(teacher, params)
    recipe = recipe_from(recipe, options) if recipe is not None else None
    draw_key, fit_key = jax.random.split(key)
    new = new_words(teacher, words, draw_key, num_words)
    packed, recipe = student_batches(params, teacher, words, new, recipe, **({} if recipe else options))
    return loop.fit(params, packed, fit_key, recipe, dev=dev)


def student_batches(
    params: Params,
    teacher: Params,
    words: Sequence[str],
    new: Sequence[str],
    recipe: Recipe | None = None,
    **options: Any,
) -> tuple[whole_words.WordBatches, Recipe]:
    """Returns the packed words with their targets, and the recipe, that `distil` trains with; `new` are drawn words."""
    steps_given = recipe is not None or "steps" in options
    recipe = recipe or Recipe(**(Recipe.named({"steps": 1, **DEFAULT}) | options))
    table = whole_words.teacher_targets(words, teacher, 1 - FOLLOWED, others=new)
    packed = whole_words.pack_words([*new, *words, *words], params, recipe, table)
    if steps_given:
        return packed, recipe
    rows = len(packed.targets)
    return packed, recipe.but(steps=max(1, EPOCHS * rows // (recipe.batch_size or rows)))


def new_words(model: Params, words: Sequence[str], key: Key[Array, ""], num_words: int) -> list[str]:
    """Draws distinct words from a model, none of them in `words` or longer than the longest there.

    Returns fewer than num_words where ten times as many draws do not find them.
    """
    whole_number("num_words", num_words)
    units = model.vocab.units
    longest = sizes_of(words, units).longest
    limit = contract.max_length(model)
    known = {"", *words}

    def is_new(word: str) -> bool:
        if length(word, units) > longest or word in known:
            return False
        known.add(word)
        return True

    # One character more than allowed: a word that was cut is then too long, and rejected.
    cut = longest + 1 if limit is None else min(longest + 1, limit)
    options = SamplingOptions(max_length=cut)
    return search(model, key, num_words, lambda drawn: map(is_new, drawn), options, budget=10 * num_words).words
