"""Scores one word character by character: probability, rank, and the likeliest alternatives."""

from dataclasses import dataclass

import numpy as np
from rich.cells import cell_len, set_cell_size

from mm_jax.models.contract import Params, check_lengths, check_params
from mm_jax.models.prediction import log_probs_after
from mm_jax.symbols import CHARACTERS

_BAR = 24  # characters


@dataclass(frozen=True)
class CharacterScore:
    """A symbol of a word: its nll in nats, its probability, and its rank (1 is the likeliest)."""

    character: str
    nll: float
    probability: float
    rank: int
    likeliest: tuple[tuple[str, float], ...]  # the three likeliest symbols here, with their probabilities


@dataclass(frozen=True)
class Score:
    """A word's characters, the end `.` included, and its total nll in nats; `str` draws a bar for each character.

    >>> from mm_jax.models import counts
    >>> from mm_jax.vocab import Vocab
    >>> print(score(counts.fit(["ab", "ab", "b"], Vocab(".ab")), "b"))
          nats       p  rank                            likeliest
    b    1.099  0.3333     2  ###                       a 0.67  b 0.33  . 0.00
    .    0.000  1.0000     1                            . 1.00  a 0.00  b 0.00
    sum  1.099  0.5493 nats per character
    """

    word: str
    characters: tuple[CharacterScore, ...]
    nll: float
    unit: str = "character"  # or "symbol", of graphemes and words

    @property
    def mean(self) -> float:
        """Returns the nats per character, or per symbol."""
        return self.nll / len(self.characters)

    def __str__(self) -> str:
        width = max(3, *(1 + cell_len(entry.character) for entry in self.characters))
        lines = [f"{'':{width}}{'nats':>7} {'p':>7} {'rank':>5}  {'':{_BAR}}  likeliest"]
        for entry in self.characters:
            filled = min(_BAR, round(entry.nll / 8 * _BAR)) if np.isfinite(entry.nll) else _BAR
            bar = "#" * filled + ("" if np.isfinite(entry.nll) else ">")
            others = "  ".join(f"{char} {p:.2f}" for char, p in entry.likeliest)
            figures = f"{entry.nll:7.3f} {entry.probability:7.4f} {entry.rank:5}"
            lines.append(f"{set_cell_size(entry.character, width)}{figures}  {bar:{_BAR}}  {others}")
        return "\n".join([*lines, f"{'sum':{width}}{self.nll:7.3f}  {self.mean:.4f} nats per {self.unit}"])


def score(params: Params, word: str) -> Score:
    """Computes the nll of one word, symbol by symbol, end included.

    Args:
      params: any model's parameters.
      word: the word to score.

    Returns:
      A Score: for each character its nll in nats, probability, rank, and the three likeliest; and the total nll, inf
      where the model gives probability 0. `print` it for bars.

    Raises ValueError for an empty word and for a symbol that the model does not know.

    >>> from mm_jax.models import counts
    >>> from mm_jax.vocab import Vocab
    >>> scored = score(counts.fit(["ab", "ab", "b"], Vocab(".ab")), "ab")
    >>> [(entry.character, entry.rank, round(entry.probability, 3)) for entry in scored.characters]
    [('a', 1, 0.667), ('b', 1, 1.0), ('.', 1, 1.0)]

    Source: makemore part 1 scores `andrejq` so.
    """
    check_params(params)
    tokens = params.vocab.encode(word).tolist()
    spelled, symbols = params.vocab.decode(tokens), params.vocab.symbols
    if not tokens:
        raise ValueError("an empty word: nothing to score")
    check_lengths(params, [spelled])
    targets = [*tokens, 0]
    rows = log_probs_after(params, [tuple(tokens[:t]) for t in range(len(targets))])
    order = np.argsort(-rows, axis=1, kind="stable")
    characters = tuple(
        CharacterScore(
            character=symbols[int(target)],
            nll=float(0.0 - row[target]),  # not -row[target]: that would be -0.0 for probability 1
            probability=float(np.exp(row[target])),
            rank=int(np.flatnonzero(best == target)[0]) + 1,
            likeliest=tuple((symbols[int(token)], float(np.exp(row[token]))) for token in best[:3]),
        )
        for target, row, best in zip(targets, rows, order, strict=True)
    )
    unit = "character" if params.vocab.units == CHARACTERS else "symbol"
    return Score(spelled, characters, float(sum(entry.nll for entry in characters)), unit)
