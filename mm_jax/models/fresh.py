"""Rescales a model so that its training words together have their Good-Turing probability. Not a lesson: read it last.

A list of names holds each about once, so only an eighth of the held-out words stand in the training list; yet every
model gives a quarter of its probability and more to that list. With P a model, T the words it learned, S = P(T):

    P'(w) = share * P(w)^power / Z        for w in T, Z = sum over T of P^power
    P'(w) = (1 - share) * P(w) / (1 - S)  for all other words

A share of 0 is the model of new words only: `mm_jax.sample` draws them from it, and rejects none. P' is again a model
that reads character by character. At a prefix u, with p the model's own distribution there,

    p'(c | u) = p(c | u) * factor(uc) / factor(u)
    factor(u) = 1 - s(u) + ratio * a(u),         ratio = share / (1 - share) * (1 - S) / Z
    s(u)      = sum over the w in T that begin with u of P(w) / P(u),          P(u) that of all words that do
    a(u)      = sum over the w in T that begin with u of P(w)^power / P(u)

and factor(u) is 1 where no word of T begins with u. So two numbers a prefix of T are enough: its factor, and the factor
of ending there. 1 - s and a follow from the deepest prefix up, without a difference of nearly equal numbers:

    1 - s(u) = sum_c p(c | u) * (1 - s(uc)),     a(u) = sum_c p(c | u) * a(uc)

Source: Good (1953), The population frequencies of species and the estimation of population parameters.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Float32, Int, Int32

from mm_jax import corpus
from mm_jax.models import contract
from mm_jax.models.contract import sequential
from mm_jax.models.prediction import log_probs_of_prefixes
from mm_jax.ngrams.table import Table
from mm_jax.pytrees import pytree
from mm_jax.vocab import Vocab

MAX_CELLS = 2**26  # prefixes * vocab_size: of a float64 table while it is made


@pytree
class Fresh:
    """A model, and the prefix trie of the words it learned.

    Prefix 0 is empty; prefix n goes on with the tokens[first[n] : first[n + 1]], and the one at place i leads to prefix
    i + 1. The last number means "not in the list".

    >>> import mm_jax
    >>> params = mm_jax.counts.fit(["ab", "b"], Vocab(".ab"), smoothing=1.0)
    >>> mm_jax.score(wrap(params, ["ab", "b"], share=0.0), "ab").nll
    inf
    """

    member: Any
    ends: Float32[Array, " numbers"]  # log factor of ending, at each prefix and outside the list
    first: Int32[Array, " numbers+1"]  # offsets
    tokens: Int32[Array, " padded_edges"]  # padded by vocab_size, see `mm_jax.ngrams.table`
    factors: Float32[Array, " padded_edges"]  # log factor of the prefix that each leads to
    vocab: Vocab


def wrap(params: Any, words: Sequence[str], share: float | None = None, *, power: float = 0.5) -> Fresh:
    """Returns the corrected model.

    Args:
      params: any model.
      words: the list that it learned from, repeats included.
      share: the probability of all its words together, 0 or more and below 1. None is `repeated(words)`.
      power: exponent of the model's probabilities among these words; below 1 it evens them out.

    Returns:
      A Fresh, itself a model.

    Raises ValueError for a share outside [0, 1), a negative power, words as `corpus.tokens` says or longer than the
    model reads, a list with too many prefixes, and a model that calls a word of the list impossible, or all others.

    >>> import mm_jax
    >>> words = ["ab", "b", "ab"]
    >>> params = mm_jax.counts.fit(words, Vocab(".ab"), smoothing=1.0)
    >>> new = wrap(params, words, share=0.0)
    >>> set(mm_jax.sample(new, jax.random.key(0), 1000)) & set(words)
    set()
    >>> round(float(np.exp(-mm_jax.score(wrap(params, words, share=0.5, power=0.0), "ab").nll)), 5)
    0.25
    """
    contract.check_params(params)
    words = corpus.as_list(words)
    share = repeated(words) if share is None else share
    if not 0 <= share < 1:
        raise ValueError(f"share is {share}: give 0 (new words only) or more, below 1")
    if not 0 <= power < np.inf:
        raise ValueError(f"power is {power}: give 0 (all words of the list alike) or more")
    trie, size = corpus.prefixes(words, params.vocab), len(params.vocab)
    if trie.distinct * size > MAX_CELLS:
        raise ValueError(f"{trie.distinct:,} prefixes of {size:,} characters are too large a table: give fewer words")
    factors, ends = _factors(trie, log_probs_of_prefixes(params, words).astype(np.float64), share, power)
    # The last row, without tokens, is that of the number "not in the list".
    table = Table.of(trie.parents[1:], trie.last[1:], factors[1:], rows=trie.distinct + 1, vocab_size=size)
    return Fresh(
        member=params,
        first=table.first,
        tokens=table.tokens,
        factors=table.values,
        ends=jax.device_put(np.pad(ends, (0, 1)).astype(np.float32)),
        vocab=params.vocab,
    )


def repeated(words: Sequence[str]) -> float:
    """Estimates the probability that a next word is one of these: Good and Turing's 1 - n1 / N.

    n1 of the N words occur once. It is computed as (N - n1 + 1) / (N + 2), which is never 0.

    >>> repeated(["ab", "b", "ab"])
    0.6
    """
    occurrences = np.unique(np.array(words, object), return_counts=True)[1]
    return (len(words) - int((occurrences == 1).sum()) + 1) / (len(words) + 2)


def _factors(trie: corpus.Prefixes, logp: np.ndarray, share: float, power: float) -> tuple[np.ndarray, np.ndarray]:
    """Returns the log factors of the prefixes and of ending there, float64 [prefixes] both.

    `logp` is log p(c | u), [prefixes, vocab_size].
    """
    is_word = trie.is_word()
    reaching = np.zeros(trie.distinct)  # reaching[u] = log P(u)
    for level in trie.levels[1:]:
        parent = trie.parents[level]
        reaching[level] = reaching[parent] + logp[parent, trie.last[level]]
    of_words = reaching[is_word] + logp[is_word, 0]  # log P(w)
    if not np.isfinite(of_words).all():
        raise ValueError("the model calls a word of the list impossible: smooth the counts, or leave the word out")
    # At the end of a word w of T, 1 - s is 0 and a is P(w)^power / P(w). Outside T, 1 - s is 1 and a is 0.
    rest = _upwards(trie, logp, ends=-np.inf, others=0.0)  # rest[u] = log(1 - s(u))
    powered = _upwards(trie, logp, ends=(power - 1) * of_words, others=-np.inf)  # powered[u] = log a(u)
    if rest[0] == -np.inf:
        raise ValueError("the model calls all words outside the list impossible: smooth the counts")
    with np.errstate(divide="ignore"):
        ratio = np.log(share) - np.log1p(-share) + rest[0] - powered[0]  # log ratio: at the empty prefix s = S, a = Z
    ends = np.zeros(trie.distinct)
    ends[is_word] = ratio + (power - 1) * of_words
    return np.logaddexp(rest, ratio + powered), ends


def _upwards(trie: corpus.Prefixes, logp: np.ndarray, ends: Any, others: float) -> np.ndarray:
    """Returns value(u) = log sum_c p(c | u) * exp(value(uc)) of all prefixes, from the deepest up: float64 [prefixes].

    `ends` are the values at the ends of T's words [words], `others` that of every uc that begins no word of T.
    """
    is_word = trie.is_word()
    terms = logp + others
    terms[is_word, 0] = logp[is_word, 0] + ends
    values = np.empty(trie.distinct)
    for level in reversed(trie.levels):
        values[level] = np.logaddexp.reduce(terms[level], axis=1)
        if level.start:  # the empty prefix has no parent
            edges = trie.parents[level], trie.last[level]
            terms[edges] = logp[edges] + values[level]
    return values


def max_length(params: Fresh) -> int | None:
    """Returns the length of the longest word that the member can read."""
    return contract.max_length(params.member)


def packs(params: Fresh) -> bool:
    """Returns whether the member reads several words from one row."""
    return contract.model_of(params.member).packs(params.member)


def start(params: Fresh) -> tuple[Any, Int32[Array, ""]]:
    """Returns the member's state before a word, and the empty prefix."""
    return contract.start(params.member), jnp.int32(0)


def advance(params: Fresh, state: tuple[Any, Int32[Array, ""]], token: Int[Array, ""]) -> tuple[Any, Int32[Array, ""]]:
    """Reads a token: the member's next state, and the longer prefix, or "not in the list" from here on."""
    inner, prefix = state
    return contract.model_of(params.member).advance(params.member, inner, token), _longer(params, prefix, token)


def logits(params: Fresh, state: tuple[Any, Int32[Array, ""]]) -> Float32[Array, " vocab_size"]:
    """Returns log p'(next): normalised, -inf for a token that leads to list words only where the share is 0."""
    inner, prefix = state
    return _corrected(params, contract.logits(params.member, inner), prefix)


def unroll(params: Fresh, tokens: Int[Array, " length"]) -> Float32[Array, "length+1 vocab_size"]:
    """Returns log p'(next) at every position; the member unrolls in its own way."""

    def read(prefix, token):
        return jnp.where(token == 0, 0, _longer(params, prefix, token)), prefix

    last, before = lax.scan(read, jnp.int32(0), tokens)
    prefixes = jnp.append(before, last)
    return jax.vmap(_corrected, (None, 0, 0))(params, contract.unroll(params.member, tokens), prefixes)


def _table(params: Fresh) -> Table:
    return Table(params.first, params.tokens, params.factors, len(params.vocab))


def _longer(params: Fresh, prefix: Int32[Array, ""], token: Int[Array, ""]) -> Int32[Array, ""]:
    """Returns the prefix with one more token; the last number where no word of the list begins so."""
    place, found = _table(params).find(prefix, token)
    return jnp.where(found, place + 1, jnp.int32(len(params.ends) - 1))


def _corrected(
    params: Fresh, row: Float32[Array, " vocab_size"], prefix: Int32[Array, ""]
) -> Float32[Array, " vocab_size"]:
    """Returns log p' from the member's logits at a prefix."""
    row = jax.nn.log_softmax(row)
    corrected = row + _table(params).row(prefix).at[0].add(params.ends[prefix])
    # A prefix has probability 0 where all its continuations are list words and the share is 0. It is never reached, and
    # any row without nan will do.
    return jax.nn.log_softmax(jnp.where(corrected.max() > -jnp.inf, corrected, row))


def validate(params: Fresh) -> None:
    """Raises ValueError for a member of another vocabulary, and for a trie that is out of order or out of range."""
    if params.member.vocab != params.vocab:
        raise ValueError("its member has another vocabulary")
    first, prefixes = np.asarray(params.first), len(params.ends) - 1
    # Place i leads to prefix i + 1, so a prefix whose tokens stand before its own number would lead to itself.
    if (
        prefixes < 1
        or len(first) != prefixes + 2
        or not first[-2] == first[-1] == prefixes - 1
        or (first[:-2] < np.arange(prefixes)).any()
    ):
        raise ValueError("its prefixes are out of order")
    _table(params).check("its table of prefixes")
    if (np.asarray(params.tokens)[: prefixes - 1] == 0).any():
        raise ValueError("its prefixes go on after their end")
    if np.isposinf(np.asarray(params.factors)).any() or np.isposinf(np.asarray(params.ends)).any():
        raise ValueError("its factors are infinite")


MODEL = sequential(
    Fresh,
    start=start,
    advance=advance,
    logits=logits,
    unroll=unroll,
    max_length=max_length,
    packs=packs,
    validate=validate,
)
