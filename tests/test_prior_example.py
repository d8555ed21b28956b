"""The scripts that make the prior and measure it: which lists are read, what a batch is, the table."""

from pathlib import Path

import jax
import numpy as np
import pytest

from mm_jax.prior import characters

EXAMPLES = Path(__file__).parent.parent / "examples"


@pytest.fixture(autouse=True)
def scripts(monkeypatch):
    """Makes the scripts importable."""
    monkeypatch.syspath_prepend(str(EXAMPLES))


def made(name, family, words):
    from prior_lists import List

    return List(name, family, words, "LATIN")


def test_kin_of_a_held_out_list_is_not_read():
    from prior_lists import _is_kin

    held = [made("corpora/food/teas", "corpora/food", ["Assam", "Darjeeling", "Oolong"])]
    held += [made("cities/NL/GREEK", "cities/NL", ["x"])]
    assert _is_kin(made("corpora/food/cakes", "corpora/food", ["a"]), held)  # a sibling
    assert _is_kin(
        made("corpora/drinks", "corpora/drinks", ["assam", "OOLONG", *map(str, range(99))]), held
    )  # shares words
    assert _is_kin(made("faker/address/nl_NL/cities", "faker/address/nl_NL", ["a"]), held)  # the same country
    assert not _is_kin(made("corpora/drinks", "corpora/drinks", ["assam", *map(str, range(99))]), held)
    assert not _is_kin(made("faker/person/nl_NL/names", "faker/person/nl_NL", ["a"]), held)


def test_scripts():
    from prior_lists import script_of

    assert [script_of([word]) for word in ("Zo\u00eb", "\u0416\u0430\u0440", "\u30a2\u3042", "a\u0416")] == [
        "LATIN",
        "CYRILLIC",
        "KANA",
        "MIXED",
    ]


def test_a_batch_holds_words_of_its_list_and_their_characters():
    import prior

    words = ["anna", "Bea", "eva", "ada", "zo\u00eb", "mia", "lea", "ida"]
    lists = [made("corpora/a", "a", words)]
    parts = tuple(dict.fromkeys(["end", *(part for char in "".join(words) for part in characters.parts_of(char))]))
    batch = prior.draw_batch(lists, np.ones(1), parts, (0, 0))
    again = prior.draw_batch(lists, np.ones(1), parts, (0, 0))
    assert all((one == two).all() for one, two in zip(batch, again, strict=True))
    by_ids = {tuple(characters.part_ids(parts, char)[0]): char for char in "b".join(words)}
    for ids, known, inputs, targets, starts, inside in zip(
        batch.ids, batch.known, batch.inputs, batch.targets, batch.starts, batch.inside, strict=True
    ):
        letters = ["."] + [by_ids[tuple(row)] for row in ids[1 : known.sum()]]
        for row, following, first, mask in zip(inputs, targets, starts, inside, strict=True):
            assert (following[:-1][mask[1:] & ~first[1:]] == row[1:][mask[1:] & ~first[1:]]).all()
            text = "".join(letters[token] for token in following[mask])
            assert set(text.split(".")[:-1]) <= {"bea", *words}
            assert (row[first] == 0).all()


@pytest.mark.parametrize("share", [0.0, 1.0])
def test_a_share_of_the_lists_is_read_in_lower_case(share, monkeypatch):
    import prior

    monkeypatch.setattr(prior, "LOWER_CASE", share)
    parts = ("end", "a", "capital", "kind L LATIN")
    batch = prior.draw_batch([made("corpora/a", "a", ["Aa", "aA"])], np.ones(1), parts, (0, 0))
    assert (batch.known.sum(1) == (3 if share == 0 else 2)).all()  # the end, a and A
    assert (batch.ids == parts.index("capital")).any() == (share == 0)


@pytest.mark.slow
def test_a_few_steps_of_training_lower_the_loss(monkeypatch, capsys):
    import prior

    monkeypatch.setattr(prior, "LEAST", 1)
    words = ["anna", "hanna", "nana", "anne", "johanna", "susanna", "ann", "annika"] * 3
    prior.train([made("corpora/a", "a", words)], jax.random.key(0), 40)
    losses = [float(line.split()[2]) for line in capsys.readouterr().out.splitlines() if line.startswith("step")]
    assert len(losses) == 20 and losses[-1] < losses[0] - 0.5
