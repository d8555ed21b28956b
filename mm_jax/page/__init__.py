"""Writes one HTML file that shows a model and makes words in the browser: `write(params, "names.html")`.

The file holds markup, style, code and weights; its content security policy forbids every request. Its engine implements
the contract of `mm_jax.models.contract` in JavaScript and draws as `mm_jax.sample` does: the same seed gives the same
words. Python puts these parts together:

    page.html style.css text.json    the markup, the style, all English text
    engine/                          random numbers, the contract, sampling: runs in a worker as well
    models/                          a file for each file of mm_jax/models, of the same name
    interface/                       the controls and the pictures
"""

import base64
import hashlib
import html
import json
import os
import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

import mm_jax
from mm_jax import drawing, sampling
from mm_jax.conditions import first_case
from mm_jax.evaluation import word_nlls
from mm_jax.files import write_whole
from mm_jax.page import bloom, pack

MAX_BYTES = 32 * 2**20  # of a page: a phone still opens it
GENERATOR = f"mm_jax {mm_jax.__version__}"
_FOLDER = Path(__file__).parent
_ENGINE = ("random", "contract", "known", "sampling")
_INTERFACE = ("dom", "make", "type", "look", "main")


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
    page = _page(params, list(words or ()), title, with_words, half, card or {}, start).encode("utf-8", "replace")
    if len(page) > MAX_BYTES:
        remedy = "give a smaller model" if half else "half precision makes it about half as large"
        raise ValueError(f"the page would have {len(page) / 2**20:.1f} MiB, more than the limit of 32 MiB: {remedy}")
    write_whole(path, page)


def texts() -> dict[str, Any]:
    """Reads all text of a page, by part and name: text.json."""
    return json.loads((_FOLDER / "text.json").read_text(encoding="utf-8"))


def check_free(path: str | os.PathLike, overwrite: bool) -> None:
    """Raises ValueError for a folder, and for an existing file unless `overwrite`."""
    path = Path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder: name a file")
    if path.exists() and not overwrite:
        raise ValueError(f"{path} exists: name another file, or give overwrite (--overwrite)")


def _page(
    params: Any,
    words: list[str],
    title: str,
    with_words: bool,
    half: bool,
    card: Mapping[str, str],
    start: Mapping[str, float | str | None],
) -> str:
    """Returns the HTML of a page; `start` holds the initial settings."""
    text = texts()
    spec = pack.spec_of(params)
    arrays, weights = pack.packed(params, half=half)
    bloom_filter = bloom.make(words) if with_words else None
    data = {
        "text": text["script"],
        "vocab": params.vocab.chars,
        "model": spec,
        "arrays": arrays,
        "batch": drawing.batch_size(params),
        "kind": type(params).__name__,
        "numbers": mm_jax.num_params(params),
        "quantiles": _quantiles(params, words),
        "known": bloom_filter and {"bits": _base64(bloom_filter.bits), "hashes": bloom_filter.hashes},
        "card": [*_facts(text["card"], params, spec, arrays, half, bloom_filter), *card.items()],
        "example": _example(params),
        "start": start,
    }
    engine = _script([*(f"engine/{name}.js" for name in _ENGINE), *pack.sources(spec), "engine/worker.js"])
    interface = _script([f"interface/{name}.js" for name in _INTERFACE])
    style = _tight((_FOLDER / "style.css").read_text(encoding="utf-8"))
    policy = (
        f"default-src 'none'; script-src {_hash(engine)} {_hash(interface)}; style-src {_hash(style)}; "
        "worker-src blob:; img-src data:; base-uri 'none'; form-action 'none'"
    )
    slots = {"style": style, "weights": _base64(weights), "data": _json(data), "engine": engine, "interface": interface}
    # HTML has no control characters.
    title = "".join(" " if unicodedata.category(char) == "Cc" else char for char in title)
    values = text["html"] | {"lang": text["lang"], "title": title, "policy": policy, "generator": GENERATOR}
    template = (_FOLDER / "page.html").read_text(encoding="utf-8")

    def fill(slot: re.Match[str]) -> str:
        return slots[slot[2]] if slot[1] else html.escape(values[slot[2]])

    return re.sub(r"\{\{(!?)(\w+)\}\}", fill, template)


def _facts(
    labels: Mapping[str, str],
    params: Any,
    spec: Any,
    arrays: Mapping[str, Any],
    half: bool,
    words: bloom.BloomFilter | None,
) -> list[tuple[str, str]]:
    """Returns the facts on the card of every model, as (label, text)."""
    facts = {
        "model": pack.in_words(spec, arrays),
        "numbers": f"{mm_jax.num_params(params):,}, {labels['half' if half else 'single']}",
        "characters": f"{len(params.vocab) - 1:,}",
        "licence": labels["licence_text"],
    }
    if words:
        share = f"{words.error_rate:.2%}"
        facts["list"] = labels["list_text"].format(words=f"{words.words:,}", size=f"{len(words.bits):,}", share=share)
    return [(labels[name], value) for name, value in facts.items()]


def _quantiles(params: Any, words: list[str]) -> list[float] | None:
    """Computes the percentiles 0 to 100 of the words' nats per character; None without words."""
    if not words:
        return None
    sums, lengths = word_nlls(params, words)
    means = np.minimum(sums / lengths, 1e6)  # JSON has no infinity
    return [round(float(nats), 4) for nats in np.quantile(means, np.linspace(0, 1, 101), method="inverted_cdf")]


def _example(params: Any) -> str:
    """Draws a word of 4 to 10 characters to begin with; "" if 20 draws hold none."""
    words = sampling.sample(params, jax.random.key(0), 20)
    return next((word for word in words if 4 <= len(word) <= 10), "")


def _script(names: Sequence[str | Path]) -> str:
    """Joins files of JavaScript to one script."""
    return '"use strict";\n' + "".join(_tight((_FOLDER / name).read_text(encoding="utf-8")) for name in names)


def _tight(source: str) -> str:
    """Removes comment lines and indentation."""
    lines = (line.strip() for line in source.splitlines())
    return "".join(f"{line}\n" for line in lines if line and not line.startswith("//"))


def _json(value: Any) -> str:
    """Writes JSON that cannot end a script element: escapes `<` and all characters beyond ASCII."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")


def _base64(content: bytes) -> str:
    """Encodes bytes in base 64."""
    return base64.b64encode(content).decode("ascii")


def _hash(source: str) -> str:
    """Returns the source expression by which a content security policy allows this very script or style."""
    return f"'sha256-{_base64(hashlib.sha256(source.encode('utf-8')).digest())}'"
