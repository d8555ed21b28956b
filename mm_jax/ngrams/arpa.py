"""Writes n-gram models as ARPA text, which kenlm and SRILM read."""

import os
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

_MARKS = ("<s>", "</s>", "<unk>")  # of the format
_LOWEST = -99.0  # what the format writes for log10 of 0


class Order(NamedTuple):
    """One order of a model, as plain tables.

    Attributes:
      contexts: int [contexts, m - 1], the oldest character first; 0 before the start of a word.
      backoff: float [contexts], the back-off weights.
      context: int [pairs], the context of each n-gram; ascending.
      token: int [pairs], its last character. Order 1 has every token of the vocabulary.
      log_prob: float [pairs], log p(token | context), in nats.
    """

    contexts: np.ndarray
    backoff: np.ndarray
    context: np.ndarray
    token: np.ndarray
    log_prob: np.ndarray


def write(path: str | os.PathLike, symbols: Sequence[str], orders: Sequence[Order]) -> None:
    """Writes ARPA text: base-10 logarithms, `<s>` and `</s>` for the start and the end of a word.

    A symbol is a word of the format. White space, which would split one, and characters that no text should hold are
    written as their code points (U+0020, U+0000), and so are symbols that mean something else there (<s>, <unk>). The
    start of a word is one `<s>`, where the model's contexts have as many `.` as are needed: its n-grams stand in the
    section of their length with one `<s>`, and carry the probabilities and the back-off of the full context.

    Args:
      path: the file.
      symbols: those of the vocabulary; the first is token 0.
      orders: the tables, order 1 first.

    Source: the format is that of ngram-format(5) of SRILM.
    """
    log10_p, log10_backoff = _entries(symbols, orders)
    lines = ["\\data\\", *(f"ngram {n}={len(grams)}" for n, grams in log10_p.items())]
    for n, grams in log10_p.items():
        lines += ["", f"\\{n}-grams:"]
        for gram, value in grams.items():
            weight = log10_backoff.get(gram)
            lines.append(f"{value:.7f}\t{' '.join(gram)}" + ("" if weight is None else f"\t{weight:.7f}"))
    Path(path).write_text("\n".join([*lines, "", "\\end\\", ""]), encoding="utf-8")


def _entries(symbols: Sequence[str], orders: Sequence[Order]) -> tuple[dict[int, dict], dict[tuple, float]]:
    """Returns the log10 probability of each n-gram, by length, and the log10 back-off of each context."""
    symbols = ["</s>", *map(_spelled, symbols[1:])]
    log10_p: dict[int, dict] = {n: {} for n in range(1, len(orders) + 1)}
    log10_p[1][("<s>",)] = _LOWEST
    log10_backoff: dict[tuple, float] = {}
    for m, order in enumerate(orders, 1):
        keys = [_key(context, symbols) for context in order.contexts.tolist()]
        for key, weight in zip(keys, _log10(order.backoff).tolist(), strict=True):
            # The model backs off from '..a' to '.a' to 'a', the text from '<s> a' to 'a': the weights add up.
            before = log10_backoff.get(key, 0.0) if _starts_a_word(key) else 0.0
            if key:
                log10_backoff[key] = before + weight
        values = np.maximum(order.log_prob / np.log(10), _LOWEST).tolist()
        for context, token, value in zip(order.context.tolist(), order.token.tolist(), values, strict=True):
            key = keys[context]
            if m == len(orders) or not _starts_a_word(key):  # at the start of a word the full context says more
                log10_p[len(key) + 1][(*key, symbols[token])] = value
    # A back-off stands beside its context, so only where that is itself an n-gram of the text.
    kept = {gram for n in range(1, len(orders)) for gram in log10_p[n]}
    return log10_p, {gram: max(weight, _LOWEST) for gram, weight in log10_backoff.items() if gram in kept}


def _key(context: list[int], symbols: list[str]) -> tuple[str, ...]:
    """Returns the symbols of a context, with one `<s>` in place of all its zeros."""
    return ("<s>",) * (0 in context) + tuple(symbols[token] for token in context if token)


def _starts_a_word(key: tuple[str, ...]) -> bool:
    return key[:1] == ("<s>",)


def _spelled(symbol: str) -> str:
    """Returns a symbol as a word of the format."""
    own = symbol.lower() in _MARKS
    return "".join(f"U+{ord(char):04X}" if own or not _is_text(char) else char for char in symbol)


def _is_text(char: str) -> bool:
    return not char.isspace() and unicodedata.category(char) not in ("Cc", "Cs")


def _log10(values: np.ndarray) -> np.ndarray:
    """Returns base-10 logarithms, those of 0 as the format writes them: float64, shaped like `values` [...]."""
    return np.log10(np.maximum(values, 10.0**_LOWEST, dtype=np.float64))
