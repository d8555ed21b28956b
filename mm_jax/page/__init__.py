"""One HTML file that shows a model and makes words in the browser: `write(params, "names.html")`.

The file asks for nothing from anywhere: markup, style, code and weights are in it, and its own policy forbids the rest.
Its engine keeps the contract of `mm_jax.models.contract` in JavaScript and draws as `mm_jax.sample` does, so the same
seed gives the same words. Here Python puts it together:

    page.html style.css text.json    the markup, the looks, all that is in English
    engine/                          random numbers, the contract, drawing: runs in a worker as well
    models/                          a file for each file of mm_jax/models, under the same name
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
from mm_jax.evaluation import word_nlls
from mm_jax.files import write_whole
from mm_jax.page import known, pack

MOST_BYTES = 32 * 2**20  # of a page: what a phone still opens
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
    """Writes a page on which others can make words with a model, and look at it, offline.

    Args:
      params: any model of mm_jax.models. A page holds all of it: from the counts of an `NGram` much of the list can be
        read that it learned, and from a `Fresh`, which keeps the beginnings of its words, all of it.
      path: the HTML file; folders above it are made.
      words: the list that the model learned. The page then says where a typed word stands among them, for which it
        holds 101 quantiles, not the list.
      title: its heading.
      with_words: also put in a Bloom filter of `words` (12 bits a word), with which the page can leave out words of the
        list. About 3 in 1,000 other words are taken for words of the list. No word can be read from it.
      half: floats in half precision: a page of half the size.
      card: what else to say about the model, such as its losses: text by label.
      temperature: what the page starts with.
      lengths: the least and the greatest length that it starts with, in characters; None is no bound.
      overwrite: replace a file that is there.

    Raises:
      ValueError: a file that is there; a kind of model that a page does not know; a page of more than 32 MiB; a number
        too large for half precision; `with_words` without words; words as `evaluate` says.
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
        raise ValueError("with_words needs words, the list that the model learned")
    if half:
        params = pack.rounded(params)
    start = {"temperature": temperature, "least": lengths[0], "longest": lengths[1]}
    page = _page(params, list(words or ()), title, with_words, half, card or {}, start).encode("utf-8", "replace")
    if len(page) > MOST_BYTES:
        remedy = "give a smaller model" if half else "half precision makes it about half as large"
        raise ValueError(f"the page would have {len(page) / 2**20:.1f} MiB, and 32 MiB is the most: {remedy}")
    write_whole(path, page)


def texts() -> dict[str, Any]:
    """All that a page says, by part and name: text.json."""
    return json.loads((_FOLDER / "text.json").read_text(encoding="utf-8"))


def check_free(path: str | os.PathLike, overwrite: bool) -> None:
    """ValueError for a folder, and for a file that is there unless it may be overwritten."""
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
    start: Mapping[str, float | None],
) -> str:
    text = texts()
    spec = pack.described(params)
    arrays, weights = pack.packed(params, half=half)
    filter_ = known.of(words) if with_words else None
    data = {
        "text": text["script"],
        "vocab": params.vocab.chars,
        "model": spec,
        "arrays": arrays,
        "batch": drawing.batch_size(params),
        "kind": type(params).__name__,
        "numbers": mm_jax.num_params(params),
        "quantiles": _quantiles(params, words),
        "known": filter_ and {"bits": _base64(filter_.bits), "hashes": filter_.hashes},
        "card": [*_facts(text["card"], params, spec, arrays, half, filter_), *card.items()],
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
    title = "".join(
        " " if unicodedata.category(char) == "Cc" else char for char in title
    )  # HTML knows no control characters
    values = text["html"] | {"lang": text["lang"], "title": title, "policy": policy, "generator": GENERATOR}
    template = (_FOLDER / "page.html").read_text(encoding="utf-8")

    def fill(slot: re.Match[str]) -> str:
        return slots[slot[2]] if slot[1] else html.escape(values[slot[2]])

    return re.sub(r"\{\{(!?)(\w+)\}\}", fill, template)


def _facts(
    labels: Mapping[str, str], params: Any, spec: Any, arrays: Mapping[str, Any], half: bool, list_: known.Filter | None
) -> list[tuple[str, str]]:
    """What the card says of every model."""
    facts = {
        "model": pack.in_words(spec, arrays),
        "numbers": f"{mm_jax.num_params(params):,}, {labels['half' if half else 'single']}",
        "characters": f"{len(params.vocab) - 1:,}",
        "licence": labels["licence_text"],
    }
    if list_:
        share = f"{list_.error_rate:.2%}"
        facts["list"] = labels["list_text"].format(words=f"{list_.words:,}", size=f"{len(list_.bits):,}", share=share)
    return [(labels[name], value) for name, value in facts.items()]


def _quantiles(params: Any, words: list[str]) -> list[float] | None:
    """The nats per character below which 0, 1, ... 100 hundredths of the words lie; None without words."""
    if not words:
        return None
    sums, lengths = word_nlls(params, words)
    means = np.minimum(sums / lengths, 1e6)  # JSON knows no infinity
    return [round(float(each), 4) for each in np.quantile(means, np.linspace(0, 1, 101), method="inverted_cdf")]


def _example(params: Any) -> str:
    """A word to begin with, not from the list."""
    drawn = sampling.sample(params, jax.random.key(0), 20)
    return next((word for word in drawn if 4 <= len(word) <= 10), "")


def _script(names: Sequence[str | Path]) -> str:
    return '"use strict";\n' + "".join(_tight((_FOLDER / name).read_text(encoding="utf-8")) for name in names)


def _tight(source: str) -> str:
    """Code without the lines that are comments, and without indentation."""
    lines = (line.strip() for line in source.splitlines())
    return "".join(f"{line}\n" for line in lines if line and not line.startswith("//"))


def _json(value: Any) -> str:
    """JSON that nothing in it can end: `<` and the line separators of Unicode are written as escapes."""
    text = json.dumps(value, ensure_ascii=True, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode("ascii")


def _hash(source: str) -> str:
    """The source expression by which a policy allows this very script or style."""
    return f"'sha256-{_base64(hashlib.sha256(source.encode('utf-8')).digest())}'"
