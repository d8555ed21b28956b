"""Writes one HTML file that shows a model and makes words in the browser: `write(params, "names.html")`.

The file holds markup, style, code and weights; its content security policy forbids every request. Its engine implements
the contract of `mm_jax.models.contract` in JavaScript and draws as `mm_jax.sample` does: the same seed gives the same
words. Python puts these parts together:

    page.html style.css      the markup, the style
    text/                    all text, a file for each language; the browser's language chooses
    engine/                  random numbers, the contract, sampling: runs in a worker as well
    models/                  a file for each file of mm_jax/models, of the same name
    interface/               the controls and the pictures
    learn.html take.html     what a page that learns has besides (`write_learner`), with learn/, its engine (`learning`)

Each script is a module that says what it imports and exports; `markup.scope` makes a block of it in the page.
"""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

import mm_jax
from mm_jax import drawing, sampling
from mm_jax.checks import as_list
from mm_jax.conditions import first_case
from mm_jax.evaluation import word_nlls
from mm_jax.files import write_whole
from mm_jax.page import bloom, markup, pack
from mm_jax.page.markup import GENERATOR, texts
from mm_jax.symbols import CHARACTERS, length

__all__ = ["GENERATOR", "check_free", "texts", "write", "write_learner"]

MAX_BYTES = 32 * 2**20  # of a page: a phone still opens it
MAX_WEIGHTS = (MAX_BYTES - 2**21) // 4 * 3  # base 64 takes 4 bytes for 3; the rest of a page has less than 2 MiB


def write(
    params: Any,
    path: str | os.PathLike,
    *,
    words: Sequence[str] | None = None,
    title: str = "New words",
    with_words: bool = False,
    half: bool = False,
    card: Mapping[str, str] | None = None,
    temperature: float = 1.0,
    lengths: tuple[int, int | None] = (1, None),
    learn: bool = False,
    overwrite: bool = False,
) -> None:
    """Writes a page on which others can make words with a model, and look at the model, offline.

    Args:
      params: any model of mm_jax.models. The page holds all of it: from the counts of an `NGram` much of the training
        list can be read, and all of it from a `Fresh`, which stores the prefixes of its words.
      path: the HTML file; missing folders are made.
      words: the training list. The page then ranks a typed word among them, for which it holds 101 quantiles, not the
        list.
      title: the heading.
      with_words: includes a Bloom filter of `words` (12 bits a word), with which the page can leave out words of the
        list. It takes about 3 in 1,000 other words for words of the list. No word can be read from it.
      half: stores floats in half precision, which halves the size.
      card: further facts about the model, such as its losses: text by label.
      temperature: initial temperature of the page.
      lengths: initial bounds of the word length, in characters; None is no bound.
      learn: adds what `write_learner` writes, behind a link: the page can learn a list of the reader's own.
      overwrite: replaces an existing file.

    Raises:
      ValueError: the file exists; a page does not know this kind of model; the page has more than 32 MiB; a number is
        too large for half precision; `with_words` without words; words as for `evaluate`.
      OSError: the path cannot be written. Nothing is written then.

    >>> import tempfile
    >>> model = mm_jax.counts.fit(["emma", "ava"], mm_jax.Vocab.from_words(["emma", "ava"]))
    >>> path = Path(tempfile.mkdtemp()) / "names.html"
    >>> write(model, path, title="Names")
    >>> "<h1" in path.read_text()
    True
    """
    words = words and as_list(words)
    check_free(path, overwrite)
    if with_words and not words:
        raise ValueError("with_words needs words, the training list")
    if half:
        params = pack.rounded(params)
    start = {
        "temperature": temperature,
        "least": lengths[0],
        "longest": lengths[1],
        "first_case": first_case(words or ()),
    }
    data, weights = _data(params, list(words or ()), with_words, half, card or {}, start)
    page = markup.page(data, weights, pack.sources(data["model"]), title, learn=learn).encode("utf-8", "replace")
    if len(page) > MAX_BYTES:
        remedy = "give a smaller model" if half else "half precision makes it about half as large"
        raise ValueError(f"the page would have {len(page) / 2**20:.1f} MiB, more than the limit of 32 MiB: {remedy}")
    write_whole(path, page)


def write_learner(path: str | os.PathLike, *, title: str | None = None, overwrite: bool = False) -> None:
    """Writes the page that learns a list in the browser, and makes words with what it learned.

    `title` is the heading; None says what the page does, in the reader's language. Raises ValueError for an existing
    file unless `overwrite`, and OSError for a path that cannot be written.
    """
    check_free(path, overwrite)
    heading: str = title or texts()["learn"]["learn_title"]
    write_whole(path, markup.page({}, b"", [], heading, learn=True).encode("utf-8", "replace"))


def check_free(path: str | os.PathLike, overwrite: bool) -> None:
    """Raises ValueError for a folder, and for an existing file unless `overwrite`."""
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder: name a file")
    if path.exists() and not overwrite:
        raise ValueError(f"{path} exists: name another file, or give overwrite (--overwrite)")


def _data(
    params: Any, words: list[str], with_words: bool, half: bool, card: Mapping[str, str], start: Mapping[str, Any]
) -> tuple[dict[str, Any], bytes]:
    """Returns what a page holds of a model: its data, and its weights."""
    spec = pack.spec_of(params)
    arrays, weights = pack.packed(params, half=half)
    bloom_filter = bloom.make(words) if with_words else None
    data = {
        "vocab": params.vocab.chars,
        "model": spec,
        "arrays": arrays,
        "batch": drawing.batch_size(params),
        "numbers": mm_jax.num_params(params),
        "half": half,
        "learned": len(words) or None,
        "quantiles": _quantiles(params, words),
        "known": bloom_filter and {"bits": markup.base64_of(bloom_filter.bits), "hashes": bloom_filter.hashes},
        "card": list(card.items()),
        "example": _example(params),
        "start": start,
    }
    if params.vocab.units != CHARACTERS:  # `vocab` has one character for each symbol
        data |= {"symbols": list(params.vocab.symbols), "units": params.vocab.units}
    return data, weights


def _quantiles(params: Any, words: list[str]) -> list[float] | None:
    """Computes the percentiles 0 to 100 of the words' nats per character; None without words."""
    if not words:
        return None
    sums, lengths = word_nlls(params, words)
    means = np.minimum(sums / lengths, 1e6)  # JSON has no infinity
    return [round(float(nats), 4) for nats in np.quantile(means, np.linspace(0, 1, 101), method="inverted_cdf")]


def _example(params: Any) -> str:
    """Draws a word of 4 to 10 symbols to begin with; "" if 20 draws hold none."""
    words = sampling.sample(params, jax.random.key(0), 20)
    return next((word for word in words if 4 <= length(word, params.vocab.units) <= 10), "")
