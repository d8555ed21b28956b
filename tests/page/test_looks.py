"""What people stumbled over when they looked at a page: on a phone, on a desk, in another script."""

import jax
import numpy as np
import pytest

import mm_jax
from mm_jax import page

from .browser import chromium, require
from .kinds import VOCAB, WORDS, model

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def browser():
    require()
    with chromium() as each:
        yield each


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    path = tmp_path_factory.mktemp("looks") / "page.html"
    page.write(model("mixture"), path, words=WORDS, title="Given names", with_words=True)
    return path


def test_on_a_phone_words_come_first_and_settings_are_one_button(browser, written):
    browser.open(written, width=360)
    bottoms = browser.run(
        "return [...document.querySelectorAll('#words li')].map((each) => each.getBoundingClientRect().bottom)"
    )
    assert sum(bottom < 740 for bottom in bottoms) >= 10
    assert not browser.run("return $('settings').open")
    assert browser.run("return $('next').getBoundingClientRect().bottom") < min(bottoms)
    before = browser.words()
    browser.run("$('next').click()")
    browser.finished()
    assert browser.words() != before
    browser.open(written)
    assert browser.run("return $('settings').open")  # on a desk there is room


def test_a_visitor_is_told_of_the_list_and_what_to_press(browser, written, tmp_path):
    browser.open(written)
    assert f"a list of {len(WORDS):,} words. Press “Make more”" in browser.text("#lede")
    assert "numbers" not in browser.text("#lede") and "Mixture" not in browser.text("#lede")
    assert "Mixture (NGram (" in browser.text("#card")
    page.write(model("bigram"), tmp_path / "x.html")
    browser.open(tmp_path / "x.html")
    assert browser.text("#lede").startswith("New words, made up here. Press “Make more”")


OVERLAPS = """
const boxes = [...document.querySelectorAll('svg text')].map((each) => each.getBoundingClientRect());
const meet = (a, b) => a.left < b.right - 1 && b.left < a.right - 1 && a.top < b.bottom - 6 && b.top < a.bottom - 6;
return [boxes.length, boxes.flatMap((a, i) => boxes.slice(0, i).filter((b) => meet(a, b))).length];
"""


@pytest.mark.parametrize("width", [360, 1200])
def test_letters_of_the_embedding_do_not_overlap(browser, tmp_path, width):
    params = mm_jax.mlp.init(jax.random.key(0), VOCAB, embedding_dim=10, hidden_dim=8)
    crowded = np.asarray(params.C) * np.where(np.arange(len(VOCAB)) < 3, 10, 0.01)[:, None]  # nearly all in one place
    params = type(params)(**{**vars(params), "C": jax.numpy.asarray(crowded)})
    page.write(params, tmp_path / "x.html")
    browser.open(tmp_path / "x.html", width=width)
    count, overlaps = browser.run(OVERLAPS)
    assert count == len(VOCAB)
    assert overlaps == 0


def test_the_map_shows_the_principal_components(browser, tmp_path):
    page.write(model("mlp"), tmp_path / "x.html")
    browser.open(tmp_path / "x.html")
    found = np.array(browser.run("return flattened(page.params.C, page.vocab.chars.length)"))
    C = np.asarray(model("mlp").C, float)
    u, s, _ = np.linalg.svd(C - C.mean(0), full_matrices=False)
    expected = u[:, :2] * s[:2]
    signs = np.sign((found * expected).sum(0))
    assert np.abs(found * signs - expected).max() < 1e-2 * np.abs(expected).max()


def test_bars_that_do_not_matter_are_left_out(browser, tmp_path):
    words = ["ab"] * 99 + ["ac", "ad", "ae"]
    params = mm_jax.counts.fit(words, mm_jax.Vocab.from_words(words), smoothing=0.001)
    page.write(params, tmp_path / "x.html")
    browser.open(tmp_path / "x.html")
    browser.type("a")
    browser.run("document.querySelectorAll('#tiles button')[1].click()")
    shares = browser.run("return [...document.querySelectorAll('#expected small')].map((each) => each.textContent)")
    assert shares[0] == "97.1%" and len(shares) == 2  # 98% between them
    assert browser.text("#expected > button") == "All 6 characters"


def test_a_title_in_another_script_stands_where_the_page_begins(browser, tmp_path):
    page.write(model("bigram"), tmp_path / "x.html", title="أسماء جديدة")
    browser.open(tmp_path / "x.html")
    left = browser.run("return document.querySelector('h1 bdi').getBoundingClientRect().left")
    assert left == browser.run("return $('lede').getBoundingClientRect().left")


def test_a_page_of_a_run_learns_only_where_it_was_asked_to(browser, written, tmp_path):
    browser.open(written)
    assert browser.run("return [typeof learnList, document.getElementById('to-learn')]") == ["undefined", None]
    page.write(model("ngram"), tmp_path / "x.html", words=WORDS, learn=True)
    browser.open(tmp_path / "x.html", width=360)
    words = browser.words()
    assert words and browser.run("return $('learn').hidden && $('take').hidden && !learning")
    assert browser.text("#to-learn") == "Learn your own list"
    browser.run("$('to-learn').click()")
    assert not browser.run("return $('learn').hidden")
    assert browser.words() == words  # what was there stays until another list is learned
    browser.run("document.querySelector('[name=dragons]').click()")
    browser.finished()
    assert browser.words() != words
    assert "38 words" in browser.text("#lede")
