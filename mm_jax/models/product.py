"""Products of models: what all members expect, where a mixture takes what one or the other does.

    p(w | word so far) = 1/Z * product over k of p_k(w | word so far) ^ power_k

Z is the sum over w, at each character: what is sampled and what is scored is one and the same model. Two equal members
sharpen each other, unless their powers sum to 1 (a geometric mean). A character that a member makes impossible is
impossible here; where all are, the word ends.

    of     models of two lists, with powers of 1: words that are at home in both
    fit    models of one list, with the powers that held-out words like best: a loss below that of their mixture, mostly

Sources: Hinton (2002), Training products of experts; there, Z is one number for all words. Klakow (1998), Log-linear
interpolation of language models.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Float32, Int

from mm_jax import corpus
from mm_jax.checks import as_list, positive_number
from mm_jax.models.combination import check_members, combination, of_one_vocab
from mm_jax.models.prediction import log_probs_of_prefixes
from mm_jax.pytrees import pytree
from mm_jax.vocab import Vocab

_LEAST_POWER = 1e-4
_MOST_STEPS = 30  # of Newton's method, which takes four to eight
_LEAST = -99.0  # log p in place of -inf, so that a power times it is a number


@pytree
class Product:
    """Models of one vocabulary, and their powers.

    >>> from mm_jax.models import counts
    >>> params = of([counts.fit(["ab"], Vocab(".ab"), 1.0), counts.fit(["ba"], Vocab(".ab"), 1.0)])
    >>> params.powers.tolist()
    [1.0, 1.0]
    """

    members: tuple[Any, ...]
    powers: Float32[Array, " members"]
    vocab: Vocab


def of(members: Sequence[Any], powers: Sequence[float] | None = None) -> Product:
    """Returns the product of some models.

    Args:
      members: models of any kinds with one vocabulary.
      powers: one for each, above 0; None is 1 for each.

    Returns:
      A Product, itself a model.

    Raises ValueError for fewer than two members, for different vocabularies, and for other than a positive power each.

    >>> import mm_jax
    >>> vocab = mm_jax.Vocab(".abc")
    >>> params = of([mm_jax.ngram.fit(words, vocab, order=2) for words in (["ab", "abb"], ["ac", "ab"])])
    >>> mm_jax.most_probable(params, 1)[0][0]
    'ab'
    """
    members = of_one_vocab(members, "product")
    powers = [1.0] * len(members) if powers is None else [positive_number("powers", power) for power in powers]
    if len(powers) != len(members):
        raise ValueError(f"{len(powers)} powers for {len(members)} models: give one each")
    return Product(members=members, powers=jnp.array(powers, jnp.float32), vocab=members[0].vocab)


def fit(members: Sequence[Any], words: Sequence[str]) -> Product:
    """Fits the powers of a product to the nll of `words`, by Newton's method.

    Args:
      members: models of any kinds with one vocabulary.
      words: a list that no member was trained on, such as dev. What each member expects after each of its prefixes is
        held in memory: 4 bytes * members * distinct prefixes * vocab_size.

    Returns:
      A Product, itself a model. A member that does not help has a power of 0.0001.

    Raises ValueError for fewer than two members, for different vocabularies, for words as `corpus.tokens` says, and for
    a character of `words` to which a member gives probability 0.

    >>> import mm_jax
    >>> words, vocab = ["ab", "abb", "b"], mm_jax.Vocab(".ab")
    >>> members = [mm_jax.counts.fit(words, vocab, smoothing=1.0), mm_jax.ngram.fit(words, vocab, order=3)]
    >>> fit(members, ["ab", "abb"]).powers.shape
    (2,)
    """
    members, words = of_one_vocab(members, "product"), as_list(words)
    rows = np.stack([log_probs_of_prefixes(member, words) for member in members])
    trie = corpus.prefixes(words, members[0].vocab)
    if rows[:, trie.ids, trie.targets].min() <= _LEAST:
        raise ValueError("a member expects none of one of the characters: smooth the counts, or leave the word out")
    powers, _ = fit_powers(rows, trie.ids, trie.targets, np.full(len(members), 1 / len(members)))
    return of(members, powers.tolist())


def fit_powers(
    rows: Float32[np.ndarray, "members prefixes vocab_size"],
    ids: Int[np.ndarray, " tokens"],
    targets: Int[np.ndarray, " tokens"],
    start: Float[np.ndarray, " members"],
    pull: float = 0.0,
) -> tuple[Float[np.ndarray, " members"], float]:
    """Fits powers by Newton's method to the nll of tokens, a convex function of them.

    Args:
      rows: of each member, log p of every token after each prefix.
      ids: of each token, the prefix that it follows; every prefix is followed by one.
      targets: the tokens.
      start: the powers to begin with.
      pull: pull * |powers - start|^2 is added to the sum of the nll.

    Returns the powers, none below 0.0001, and the mean nll without the pull.

    Source: Bertsekas (1982), Projected Newton methods: an entry whose gradient pushes it below its bound stays there.
    """
    rows = np.maximum(rows, np.float32(_LEAST))  # a power times -inf is no number
    counts = np.bincount(ids, minlength=rows.shape[1])
    found = rows[:, ids, targets].sum(1, dtype=np.float64)

    def at(powers: np.ndarray) -> tuple[Any, Any, Any]:
        """Returns the function, its gradient, its second derivatives."""
        total = np.tensordot(powers.astype(np.float32), rows, 1)
        most = total.max(-1, keepdims=True)
        p = np.exp(total - most)
        Z = p.sum(-1, keepdims=True)
        p *= (counts[:, None] / Z).astype(np.float32)
        given = np.stack([(row * p).sum(-1) for row in rows]).astype(np.float64)  # count * what is expected of log p
        squares = np.stack([np.tensordot(rows, row * p, 2) for row in rows]) - given @ (given / counts).T
        nll = counts @ (np.log(Z) + most)[:, 0] - powers @ found
        pulled, ones = powers - start, np.eye(len(powers))
        return nll + pull * pulled @ pulled, given.sum(1) - found + 2 * pull * pulled, squares + 2 * pull * ones

    powers = start
    value, gradient, squares = at(powers)
    for _ in range(_MOST_STEPS):
        free = (powers > _LEAST_POWER) | (gradient < 0)
        step = np.zeros(len(powers))
        ridge = 1e-6 * np.trace(squares) * np.eye(free.sum())  # equal members: any share of their power is as good
        step[free] = np.linalg.solve(squares[np.ix_(free, free)] + ridge, gradient[free])
        for halvings in range(_MOST_STEPS):
            tried = np.maximum(powers - step / 2**halvings, _LEAST_POWER)
            if (there := at(tried))[0] <= value:
                break
        else:
            break
        moved, powers = np.abs(tried - powers).max(), tried
        value, gradient, squares = there
        if moved < 1e-6:
            break
    pulled = powers - start
    return powers, float(value - pull * pulled @ pulled) / len(ids)


def _multiply(params: Product, rows: list[Array]) -> Float32[Array, "*positions vocab_size"]:
    """Computes log p of the product from the members' logits, each float32 [*positions, vocab_size]."""
    return jax.nn.log_softmax(_added(jnp, params.powers, rows))


def _combine_rows(params: Product, log_probs: list[np.ndarray]) -> np.ndarray:
    """Returns log p of the product from the members' log p, float32 [contexts, vocab_size], computed by NumPy."""
    rows = _added(np, np.asarray(params.powers), log_probs)
    rows = rows - rows.max(-1, keepdims=True)
    return rows - np.log(np.exp(rows).sum(-1, keepdims=True))


def _added(numpy: Any, powers: Any, rows: list[Any]) -> Any:
    """Returns the sum of power * row; where that makes every token impossible, the end alone is possible."""
    total: Any = sum(power * row for power, row in zip(powers, rows, strict=True))
    end = numpy.broadcast_to(numpy.arange(total.shape[-1]) == 0, total.shape)
    stuck = numpy.broadcast_to(total.max(-1, keepdims=True) == -numpy.inf, total.shape)
    return numpy.where(stuck & end, numpy.float32(0.0), total)


def validate(params: Product) -> None:
    """Raises ValueError for powers that are not one for each member and positive, and for different vocabularies."""
    check_members(params.members, params.powers, params.vocab)
    if not (np.isfinite(params.powers) & (np.asarray(params.powers) > 0)).all():
        raise ValueError("its powers are not positive")


MODEL = combination(Product, mix=_multiply, combine_rows=_combine_rows, validate=validate)
