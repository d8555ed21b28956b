"""What a page needs to learn a list: the scripts of learn/, the bundled prior, tables of characters and of headings."""

import functools

from mm_jax import prior as bundled
from mm_jax.prior import characters
from mm_jax.shapes import HEADINGS

SCRIPTS = tuple(f"learn/{name}.js" for name in ("words", "reading", "ngrams", "prior", "outputs", "packing", "learner"))

_BEYOND = 0x32400  # code points from here on are no characters, or belong to no list


def prior() -> bytes:
    """Returns the file of the bundled prior."""
    return bundled.PATH.read_bytes()


def headings() -> list[str]:
    """Returns what a column of words is called in the first line of a table."""
    return sorted(HEADINGS)


@functools.cache
def kinds() -> dict[str, list[int]]:
    """Returns the characters of each kind that the prior knows, as ranges: a gap, a length, a gap, a length, ...

    A browser knows the category of a character, but not its name, of which the first word is its script.

    >>> kinds()["kind Pc"][:2]
    [95, 1]
    """
    found: dict[str, list[int]] = {part: [] for part in bundled.load().parts if part.startswith("kind ")}
    ends = dict.fromkeys(found, 0)
    for code in range(_BEYOND):
        kind = characters.kind_of(chr(code))
        if kind not in found:
            continue
        if found[kind] and ends[kind] == code:
            found[kind][-1] += 1
        else:
            found[kind] += [code - ends[kind], 1]
        ends[kind] = code + 1
    return found
