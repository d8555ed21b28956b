"""The pictures of `mm-jax plot`, for any model and any script."""

import dataclasses
import functools
import io
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import jax.numpy as jnp
import matplotlib
import numpy as np

from mm_jax import plotting
from mm_jax.models.bigram import Bigram
from mm_jax.models.contract import Params
from mm_jax.models.counts import Counts
from mm_jax.models.mlp import MLP
from mm_jax.output import plain
from mm_jax.scoring import score
from mm_jax.streams import some
from mm_jax.tool import runs
from mm_jax.vocab import Vocab

MAX_CHARACTERS = 60  # in one picture: more are not readable
NUM_WORDS, MAX_LENGTH = 10, 16  # in the picture of words


def draw_all(run: runs.Run) -> Iterator[tuple[str, bytes]]:
    """Draws all pictures of a run; yields (name, PNG)."""
    matplotlib.use("agg")
    from matplotlib import pyplot as plt

    params = most_frequent(run.params, run.words)
    pictures = plotting.pictures_of(params, run.folder.history())
    pictures["words"] = functools.partial(_words, run)
    for name, draw in pictures.items():
        size = max(5.0, 0.45 * len(params.vocab)) if name.endswith("_table") else 5.0
        figure, ax = plt.subplots(figsize=(max(8.0, size), size), layout="constrained")
        draw(ax)
        if params is not run.params and name not in ("losses", "words"):
            figure.suptitle(
                f"the {MAX_CHARACTERS} most frequent of {len(run.params.vocab) - 1:,} characters", fontsize=9
            )
        make_readable(figure)
        picture = io.BytesIO()
        figure.savefig(picture, format="png", dpi=100)
        plt.close(figure)
        yield name, picture.getvalue()


def _words(run: runs.Run, ax: Any) -> None:
    """Draws words of dev, or of a list without dev; the redder a character, the less likely."""
    words = run.split.dev or run.split.train
    chosen = list(dict.fromkeys(word for word in words if len(word) <= MAX_LENGTH))[:NUM_WORDS] or [words[0]]
    plotting.heat({f"{i + 1}": score(run.params, word) for i, word in enumerate(chosen)}, ax)
    where = "dev" if run.split.dev else "the list"
    ax.set_title(f"words of {where}: nats of each character, red is surprising", fontsize=10)


def most_frequent(params: Params, words: Sequence[str]) -> Params:
    """Reduces a model with a picture of its alphabet to the most frequent characters; returns any other unchanged."""
    if not isinstance(params, Counts | Bigram | MLP) or len(params.vocab) <= MAX_CHARACTERS + 1:
        return params
    common = {char for char, _ in Counter("".join(some(words, 100_000))).most_common(MAX_CHARACTERS)}
    kept = np.array([0, *(i for i, char in enumerate(params.vocab.chars) if i and char in common)])
    vocab = Vocab("".join(params.vocab.chars[i] for i in kept))
    if isinstance(params, MLP):
        return dataclasses.replace(params, vocab=vocab, C=jnp.asarray(np.asarray(params.C)[kept]))
    name = "N" if isinstance(params, Counts) else "W"
    square = np.asarray(getattr(params, name))[np.ix_(kept, kept)]
    return dataclasses.replace(params, vocab=vocab, **{name: jnp.asarray(square)})


def make_readable(figure: Any) -> None:
    """Gives every text fonts that have its characters; writes the code point of a character that no font has."""
    from matplotlib.text import Text

    for ax in figure.axes:
        for axis in (ax.xaxis, ax.yaxis):  # matplotlib makes the tick labels again at every drawing
            labels = [label.get_text() for label in axis.get_ticklabels()]
            if not all(label.isascii() and label.isprintable() for label in labels):
                families, lacking = _fonts("".join(labels))
                axis.set_ticks(axis.get_ticklocs(), labels=[_spelled(label, lacking) for label in labels])
                for label in axis.get_ticklabels():
                    label.set_fontfamily(families)
    for text in figure.findobj(Text):
        if not (text.get_text().isascii() and text.get_text().isprintable()):
            families, lacking = _fonts(text.get_text())
            text.set_fontfamily(families)
            text.set_text(_spelled(text.get_text(), lacking))
        text.set_parse_math(False)


def _spelled(text: str, lacking: frozenset[str]) -> str:
    """Replaces the characters that no font has by their code points, and escapes control characters."""
    return "".join(f"{ord(char):04X}" if char in lacking else plain(char) for char in text)


@functools.lru_cache(maxsize=4096)
def _fonts(text: str) -> tuple[list[str], frozenset[str]]:
    """Returns the font families for a text, the default first, and the characters that none of them has."""
    families = ["DejaVu Sans"]
    lacking = {char for char in text if plain(char) == char and not char.isspace()} - _characters("DejaVu Sans")
    for family in _families():
        if not lacking:
            break
        if lacking & _characters(family):
            families.append(family)
            lacking -= _characters(family)
    return families, frozenset(lacking)


@functools.cache
def _families() -> dict[str, str]:
    """Returns all installed font families in alphabetical order, each with the file of its regular font.

    Families without a regular upright font are left out: Matplotlib warns of them at every text.
    """
    from matplotlib import font_manager

    fonts = font_manager.fontManager.ttflist
    regular = [font for font in fonts if font.weight in (400, "normal", "regular") and font.style == "normal"]
    return dict(sorted((font.name, font.fname) for font in regular if "Last Resort" not in font.name))


@functools.cache
def _characters(family: str) -> frozenset[str]:
    """Returns the characters of a font."""
    from matplotlib import ft2font

    return frozenset(map(chr, ft2font.FT2Font(_families()[family]).get_charmap()))
