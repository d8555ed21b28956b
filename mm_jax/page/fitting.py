"""Makes a model small enough for a page: in half precision, then without the highest orders of its n-grams."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from mm_jax.models import ngram
from mm_jax.models.contract import Params
from mm_jax.page import pack


def fitted(
    params: Params, limit: int, *, half: bool = False, words: Sequence[str] | None = None
) -> tuple[Params, bool]:
    """Returns a model whose weights have at most `limit` bytes, and whether in half precision, which `half` asks for.

    Drops the highest order of its n-grams as often as needed; a model that has none left to drop stays too large. Of
    an NGram, the orders left are counted again if `words` are those that it was counted on: Kneser and Ney's lower
    orders expect a higher one above them, and alone they begin a line with words that hardly ever do.

    >>> import mm_jax
    >>> model = mm_jax.ngram.fit(["emma", "ava"], mm_jax.Vocab(".aemv"), order=5)
    >>> fitted(model, 10**6) == (model, False)
    True
    >>> highest_order(fitted(model, 150)[0])
    2
    """
    whole = highest_order(params)
    while len(pack.packed(params, half=half)[1]) > limit:
        if half and highest_order(params) <= 2:
            break
        params, half = (_lowered(params, highest_order(params) - 1) if half else params), True
    if isinstance(params, ngram.NGram) and len(params.levels) < whole and words is not None:
        again = ngram.fit(words, params.vocab, len(params.levels))
        params = again if len(pack.packed(again, half=True)[1]) <= limit else params
    return params, half


def highest_order(params: Params) -> int:
    """Returns the highest order of the n-grams in a model; 0 if there are none."""
    if isinstance(params, ngram.NGram):
        return len(params.levels)
    return max(map(highest_order, _inside(params)), default=0)


def _lowered(params: Any, order: int) -> Any:
    """Returns a model without the orders of its n-grams above `order`."""
    if isinstance(params, ngram.NGram):
        return dataclasses.replace(params, levels=params.levels[:order])
    if hasattr(params, "member"):
        return dataclasses.replace(params, member=_lowered(params.member, order))
    if hasattr(params, "members"):
        return dataclasses.replace(params, members=tuple(_lowered(each, order) for each in params.members))
    return params


def _inside(params: Any) -> tuple[Any, ...]:
    return (params.member,) if hasattr(params, "member") else getattr(params, "members", ())
