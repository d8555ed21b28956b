"""A student: one network that learns what its teachers know together.

25,000 names are few: a network of 200,000 numbers that learns them well soon learns them by heart. A teacher, say a
mixture of several networks and a Kneser-Ney model, knows more than the list: how likely each character is at any prefix
there may be. So the student gets words that are not in the list, drawn from the teacher, and learns the teacher's whole
distribution at each of their prefixes. Of such words there is no end, and nothing to learn by heart.

Source: Hinton et al. (2015), Distilling the knowledge in a neural network.
"""

from collections.abc import Sequence
from typing import Any

import jax
from jaxtyping import Array, Key

from mm_jax import corpus
from mm_jax.models import contract
from mm_jax.models.contract import Params
from mm_jax.numbers import whole_number
from mm_jax.sampling import Options, search
from mm_jax.training import loop, whole_words
from mm_jax.training.loop import History, recipe_from
from mm_jax.training.recipes import Recipe

EPOCHS = 6
FOLLOWED = 0.1  # share of what truly followed in the targets, at prefixes of real words
DEFAULT = {
    "batch_size": 64,
    "draw": "words",
    "optimizer": "adamw",
    "learning_rate": 0.01,
    "decay": "linear",
    "weight_decay": 0.02,
}


def distil(
    params: Params,
    teacher: Params,
    words: Sequence[str],
    key: Key[Array, ""],
    recipe: Recipe | None = None,
    *,
    num_words: int = 100_000,
    dev: Sequence[str] | None = None,
    **options: Any,
) -> tuple[Params, History]:
    """Trains a model on a teacher's distribution, at every prefix of words drawn from the teacher and of `words`.

    At prefixes of `words` a tenth of the target is what truly followed. An epoch holds the drawn words once and `words`
    twice.

    Args:
      params: the student, any model that `fit` trains; left as it is.
      teacher: any model of the same vocabulary, such as a mixture.
      words: the list that the teacher learned from. No drawn word is longer than its longest, or in it.
      key: decides the drawn words and every minibatch.
      recipe: how to train; or else
      options: those of `mm_jax.Recipe`. What is not given: AdamW with a weight_decay of 0.02, batches of 64 rows, a
        learning_rate of 0.01 that falls to 0, steps for six epochs.
      num_words: how many distinct new words to draw: fewer are found where the teacher knows no more.
      dev: words to take the nll of on the way; training never depends on them.

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
    words = corpus.as_list(words)
    if contract.functions_of(teacher) and teacher.vocab != params.vocab:
        raise ValueError("the teacher has another vocabulary: make both from the same Vocab")
    recipe = recipe_from(recipe, options) if recipe is not None else None
    draw_key, fit_key = jax.random.split(key)
    new = new_words(teacher, words, draw_key, num_words)
    laid, recipe = lesson(params, teacher, words, new, recipe, **({} if recipe else options))
    return loop.fit(params, laid, fit_key, recipe, dev=dev)


def lesson(
    params: Params,
    teacher: Params,
    words: Sequence[str],
    new: Sequence[str],
    recipe: Recipe | None = None,
    **options: Any,
) -> tuple[whole_words.Words, Recipe]:
    """What `distil` learns from, once the words are drawn, and how: ready for `loop.run`."""
    steps_given = recipe is not None or "steps" in options
    recipe = recipe or Recipe(**(Recipe.named({"steps": 1, **DEFAULT}) | options))
    table = whole_words.taught(words, teacher, 1 - FOLLOWED, others=new)
    laid = whole_words.laid([*new, *words, *words], params, recipe, table)
    if steps_given:
        return laid, recipe
    return laid, recipe.but(steps=max(1, EPOCHS * len(laid.targets) // (recipe.batch_size or len(laid.targets))))


def new_words(model: Params, words: Sequence[str], key: Key[Array, ""], num_words: int) -> list[str]:
    """Distinct words drawn from a model, none of them in `words` or longer than the longest there.

    Fewer than num_words where ten times as many draws did not find them.
    """
    whole_number("num_words", num_words)
    longest = max(map(len, words))
    limit = contract.max_length(model)
    known = {"", *words}

    def accept(word: str) -> bool:
        if len(word) > longest or word in known:
            return False
        known.add(word)
        return True

    # One character more, so that a word that was cut is seen to be too long.
    cut = longest + 1 if limit is None else min(longest + 1, limit)
    return search(model, key, num_words, accept, Options(max_length=cut), budget=10 * num_words).words
