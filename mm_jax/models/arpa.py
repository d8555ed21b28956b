"""N-gram models as ARPA text, which kenlm and SRILM read."""

import dataclasses
import os
import unicodedata
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from mm_jax.models import contract
from mm_jax.models.contract import Params

_LOWEST = -99.0  # what the format writes for log10 of 0


def write(params: Params, path: str | os.PathLike) -> None:
    """Writes an n-gram model as ARPA text: base-10 logarithms, `<s>` and `</s>` for the start and the end.

    A character is a word of the format; white space, which would split one, and characters that no text should hold are
    written as their code points (U+0020, U+0000).
    The start of a word is one `<s>`, where the model's contexts have as many `.` as are needed: its n-grams stand in
    the section of their length with one `<s>`, and carry the probabilities and the back-off of the full context.

    Source: the format is that of ngram-format(5) of SRILM.
    """
    entries, backoffs = _entries(params)
    lines = ["\\data\\", *(f"ngram {n}={len(entries[n])}" for n in entries)]
    for n in entries:
        lines += ["", f"\\{n}-grams:"]
        for gram, value in entries[n].items():
            weight = backoffs.get(gram)
            lines.append(f"{value:.7f}\t{' '.join(gram)}" + ("" if weight is None else f"\t{weight:.7f}"))
    Path(path).write_text("\n".join([*lines, "", "\\end\\", ""]), encoding="utf-8")


def _entries(params: Params) -> tuple[dict, dict]:
    """log10 probability of each n-gram, by length; log10 back-off of each context."""
    order, chars = len(params.levels), params.vocab.chars
    symbols = ["</s>", *(char if _is_word(char) else f"U+{ord(char):04X}" for char in chars[1:])]
    entries: dict[int, dict] = {n: {} for n in range(1, order + 1)}
    entries[1][("<s>",)] = _LOWEST
    backoffs: dict[tuple, float] = {}
    for m, contexts in enumerate(contexts_of(params), 1):
        level = params.levels[m - 1]
        first, tokens = np.asarray(level.first), np.asarray(level.tokens)
        rows = _rows(dataclasses.replace(params, levels=params.levels[:m]), contexts)
        weights = _log10(np.asarray(level.backoff))
        for i, context in enumerate(contexts.tolist()):
            dots = context.count(0)
            key = tuple(symbols[token] for token in context if token)
            if dots:
                key = ("<s>", *key)
                # Each order adds its back-off to that of the same context with one '.' less.
                backoffs[key] = backoffs.get(key, 0.0) + float(weights[i])
                if m < order:
                    continue  # the full context says more
            elif context:
                backoffs[key] = float(weights[i])
            following = range(len(chars)) if m == 1 else tokens[first[i] : first[i + 1]]
            for token in following:
                entries[len(key) + 1][(*key, symbols[token])] = float(rows[i, token])
    for n in range(1, order):  # the format wants a back-off for every context that is an n-gram
        for gram in entries[n]:
            if gram in backoffs:
                backoffs[gram] = max(backoffs[gram], _LOWEST)
    return entries, {gram: weight for gram, weight in backoffs.items() if gram in entries.get(len(gram), {})}


def _is_word(char: str) -> bool:
    return not char.isspace() and unicodedata.category(char) not in ("Cc", "Cs")


def contexts_of(params: Params) -> list[np.ndarray]:
    """The contexts of each order, oldest character first: int64 [contexts, m - 1], in the order of its codes."""
    by_order = [np.zeros((1, 0), np.int64)]
    for level in params.levels[1:]:
        codes = np.asarray(level.codes, np.int64)
        rank, older = np.divmod(codes, len(params.vocab))
        by_order.append(np.concatenate([older[:, None], by_order[-1][rank]], axis=1))
    return by_order


def _rows(params: Params, contexts: np.ndarray) -> np.ndarray:
    """log10 p after each context: float64 [contexts, vocab_size]."""
    run = jax.jit(jax.vmap(contract.logits, (None, 0)))
    parts = np.array_split(contexts, max(1, len(contexts) // 8192))
    rows = np.concatenate([np.asarray(run(params, jnp.asarray(part, jnp.int32))) for part in parts])
    return np.maximum(rows / np.log(10), _LOWEST)


def _log10(values: np.ndarray) -> np.ndarray:
    """Base-10 logarithms, those of 0 as the format writes them: float64, shaped like `values` [...]."""
    return np.log10(np.maximum(values, 10.0**_LOWEST, dtype=np.float64))
