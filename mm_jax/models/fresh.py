"""Any model, corrected for lists that repeat little: a word of the training list is worth what Good and Turing expect.

A list of names holds each about once, so only an eighth of the words held back stand in the list that was learned; yet
every model puts a quarter of its probability and more on that list. With P a model, T the words it learned, S = P(T):

    P'(w) = share * P(w)^power / Z        for w in T, Z = sum over T of P^power
    P'(w) = (1 - share) * P(w) / (1 - S)  for all other words

A share of 0 is the model of new words only: `mm_jax.sample` draws them from it, and throws none away. P' is again a
model that reads character by character. At a prefix u, with p the model's own distribution there,

    p'(c | u) = p(c | u) * factor(uc) / factor(u)     factor(v) = constant * P'(words that begin with v) / P(the same)

and factor(v) is 1 where no word of T begins with v. So two numbers for each prefix of T say it all: its factor, and the
one of the end there. Both follow from the deepest prefix up, without any difference of nearly equal numbers:

    factor(u) = sum_c p(c | u) * factor(uc)

Source: Good (1953), The population frequencies of species and the estimation of population parameters.
"""

import itertools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, Bool, Float32, Int, Int32

from mm_jax import corpus
from mm_jax.models import contract
from mm_jax.models.contract import sequential
from mm_jax.models.prediction import log_probs_of_prefixes
from mm_jax.pytrees import pytree
from mm_jax.vocab import Vocab

MAX_CELLS = 2**26  # prefixes * vocab_size, of a table of float64 while it is made


@pytree
class Fresh:
    """A model, and the prefixes of the words it learned: prefix n goes on with `tokens[first[n] : first[n + 1]]`.

    Prefix 0 is the empty one, and one that follows is numbered by its place in `tokens`, + 1. The last number stands
    for all that begin no word of the list.

    >>> import mm_jax
    >>> params = mm_jax.counts.fit(["ab", "b"], Vocab(".ab"), smoothing=1.0)
    >>> mm_jax.score(wrap(params, ["ab", "b"], share=0.0), "ab").nll
    inf
    """

    member: Any
    ends: Float32[Array, " numbers"]  # log of the end's factor, of each prefix and of `outside`
    first: Int32[Array, " numbers+1"]
    tokens: Int32[Array, " padded_edges"]  # padded, so that a slice of vocab_size from any `first` fits
    factors: Float32[Array, " padded_edges"]  # logarithms
    vocab: Vocab


def wrap(params: Any, words: Sequence[str], share: float | None = None, *, power: float = 0.5) -> Fresh:
    """The corrected model.

    Args:
      params: any model.
      words: the list that it learned from, repeats included.
      share: probability of all its words together, 0 or more and below 1. None is the estimate of Good and Turing:
        1 - n1 / N, with n1 of N words that occur once; one is added to its part and two to N, so that it is never 0.
      power: of the model's probabilities among these words; below 1 it evens them out.

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
    words = corpus.as_list(words)
    if share is None:
        often = np.unique(np.array(words, object), return_counts=True)[1]
        share = (len(words) - int((often == 1).sum()) + 1) / (len(words) + 2)
    if not 0 <= share < 1:
        raise ValueError(f"share is {share}: give 0 (new words only) or more, below 1")
    if not 0 <= power < np.inf:
        raise ValueError(f"power is {power}: give 0 (all words of the list alike) or more")
    trie, size = _Trie(words, params.vocab), len(params.vocab)
    if trie.prefixes * size > MAX_CELLS:
        raise ValueError(f"{trie.prefixes:,} prefixes of {size:,} characters are too large a table: give fewer words")
    factors, ends = _factors(trie, log_probs_of_prefixes(params, words).astype(np.float64), share, power)
    return Fresh(
        member=params,
        first=jax.device_put(np.searchsorted(trie.parent, np.arange(trie.prefixes + 2)).astype(np.int32)),
        tokens=jax.device_put(np.pad(trie.token, (0, size)).astype(np.int32)),
        factors=jax.device_put(np.pad(factors, (0, size)).astype(np.float32)),
        ends=jax.device_put(np.pad(ends, (0, 1)).astype(np.float32)),
        vocab=params.vocab,
    )


class _Trie:
    """The prefix trie as edges, in the order of the prefixes that they lead to: edge i leads to prefix i + 1."""

    def __init__(self, words: list[str], vocab: Vocab):
        ids, targets, self.prefixes = corpus.prefixes(words, vocab)
        inside = np.flatnonzero(targets)
        self.parent, self.token = np.zeros((2, self.prefixes - 1), np.int64)
        reached = ids[inside + 1] - 1
        self.parent[reached], self.token[reached] = ids[inside], targets[inside]
        self.is_word = np.zeros(self.prefixes, bool)
        self.is_word[ids[targets == 0]] = True
        depth = np.zeros(self.prefixes, np.int64)
        starts = np.flatnonzero(np.concatenate([[True], targets[:-1] == 0]))
        depth[ids] = np.arange(len(ids)) - np.repeat(starts, np.diff(starts, append=len(ids)))
        # Prefixes are numbered level by level, so the edges that lead to one level are a slice.
        bounds = np.searchsorted(depth, np.arange(1, depth.max() + 2)) - 1
        self.levels = [slice(low, high) for low, high in itertools.pairwise(bounds)]


def _factors(trie: _Trie, logp: np.ndarray, share: float, power: float) -> tuple[np.ndarray, np.ndarray]:
    """The logarithms of the factors: float64 [edges], [prefixes] (of the ends); logp is [prefixes, vocab_size].

    A factor is (1 - s) + ratio * a: 1 - s is the part of the words with this prefix, by P, that are not in T; a is the
    sum of P(w)^power over those in T, over P(prefix).
    """
    reaching = np.zeros(trie.prefixes)  # log P(a word begins so)
    for level in trie.levels:
        parent = trie.parent[level]
        reaching[level.start + 1 : level.stop + 1] = reaching[parent] + logp[parent, trie.token[level]]
    of_words = reaching[trie.is_word] + logp[trie.is_word, 0]
    if not np.isfinite(of_words).all():
        raise ValueError("the model calls a word of the list impossible: smooth the counts, or leave the word out")
    rest = _upwards(trie, logp, ends=-np.inf, others=0.0)
    powered = _upwards(trie, logp, ends=(power - 1) * of_words, others=-np.inf)
    if rest[0] == -np.inf:
        raise ValueError("the model calls all words outside the list impossible: smooth the counts")
    with np.errstate(divide="ignore"):
        ratio = np.log(share) - np.log1p(-share) + rest[0] - powered[0]
    ends = np.zeros(trie.prefixes)
    ends[trie.is_word] = ratio + (power - 1) * of_words
    return np.logaddexp(rest, ratio + powered)[1:], ends


def _upwards(trie: _Trie, logp: np.ndarray, ends: Any, others: float) -> np.ndarray:
    """log sum_c p(c | u) * value(uc) at each prefix u, from the deepest up: float64 [prefixes].

    `ends` are the logarithms of the values of words [words], `others` that of all that begins no word of the list.
    """
    table = logp + others
    table[trie.is_word, 0] = logp[trie.is_word, 0] + ends
    values = np.empty(trie.prefixes)
    for level in reversed([slice(-1, 0), *trie.levels]):  # the first leads to the empty prefix, from nowhere
        reached = slice(level.start + 1, level.stop + 1)
        values[reached] = np.logaddexp.reduce(table[reached], axis=1)
        if level.start >= 0:
            edges = trie.parent[level], trie.token[level]
            table[edges] = logp[edges] + values[reached]
    return values


def max_length(params: Fresh) -> int | None:
    """The longest word that the member can read."""
    return contract.max_length(params.member)


def packs(params: Fresh) -> bool:
    """Whether the member reads several words from one row."""
    return contract.model_of(params.member).packs(params.member)


def start(params: Fresh) -> tuple[Any, Int32[Array, ""]]:
    """The member's state before a word, and the empty prefix."""
    return contract.start(params.member), jnp.int32(0)


def advance(params: Fresh, state: tuple[Any, Int32[Array, ""]], token: Int[Array, ""]) -> tuple[Any, Int32[Array, ""]]:
    """The member reads the token; the prefix goes on with it, or is outside the list from here on."""
    inner, prefix = state
    return contract.model_of(params.member).advance(params.member, inner, token), _longer(params, prefix, token)


def logits(params: Fresh, state: tuple[Any, Int32[Array, ""]]) -> Float32[Array, " vocab_size"]:
    """log p'(next): normalised, -inf for what only words of the list go on with where the share is 0."""
    inner, prefix = state
    return _corrected(params, contract.logits(params.member, inner), prefix)


def unroll(params: Fresh, tokens: Int[Array, " length"]) -> Float32[Array, "length+1 vocab_size"]:
    """log p'(next) at every position: the member reads the word in its own way."""

    def read(prefix, token):
        return jnp.where(token == 0, 0, _longer(params, prefix, token)), prefix

    last, before = lax.scan(read, jnp.int32(0), tokens)
    prefixes = jnp.append(before, last)
    return jax.vmap(_corrected, (None, 0, 0))(params, contract.unroll(params.member, tokens), prefixes)


def _edges(
    params: Fresh, prefix: Int32[Array, ""]
) -> tuple[Int32[Array, ""], Int32[Array, " vocab_size"], Bool[Array, " vocab_size"]]:
    """Where a prefix's edges begin, the tokens there, and which of them are its own."""
    begin, size = params.first[prefix], len(params.vocab)
    own = jnp.arange(size, dtype=jnp.int32) < params.first[prefix + 1] - begin
    return begin, lax.dynamic_slice(params.tokens, (begin,), (size,)), own


def _longer(params: Fresh, prefix: Int32[Array, ""], token: Int[Array, ""]) -> Int32[Array, ""]:
    """The prefix with one more token; the number of `outside` where no word of the list begins so."""
    begin, tokens, own = _edges(params, prefix)
    leads_there = own & (tokens == token.astype(jnp.int32))
    outside = jnp.int32(len(params.ends) - 1)
    return jnp.where(leads_there.any(), begin + jnp.argmax(leads_there).astype(jnp.int32) + 1, outside)


def _corrected(
    params: Fresh, row: Float32[Array, " vocab_size"], prefix: Int32[Array, ""]
) -> Float32[Array, " vocab_size"]:
    """The logits of the member at a prefix, with the factors of what follows; normalised."""
    begin, tokens, own = _edges(params, prefix)
    factors = lax.dynamic_slice(params.factors, (begin,), tokens.shape)
    row = jax.nn.log_softmax(row)
    new = row + jnp.zeros_like(row).at[tokens].add(jnp.where(own, factors, 0.0)).at[0].add(params.ends[prefix])
    # Where all that may follow is in the list and its share is 0, no word comes by: any row will do that holds no nan.
    return jax.nn.log_softmax(jnp.where(new.max() > -jnp.inf, new, row))


def validate(params: Fresh) -> None:
    """ValueError for a member of another vocabulary, and for prefixes that are out of order or out of range."""
    if params.member.vocab != params.vocab:
        raise ValueError("its member has another vocabulary")
    first, size = np.asarray(params.first), len(params.vocab)
    prefixes, edges = len(params.ends) - 1, len(params.tokens) - size
    tokens, steps = np.asarray(params.tokens[:edges]), np.diff(first)
    ordered = len(first) == prefixes + 2 and first[0] == 0 and first[-1] == first[-2] == edges == prefixes - 1
    if (
        not ordered
        or (steps < 0).any()
        or (first[:-2] < np.arange(prefixes)).any()
        or len(params.factors) != edges + size
    ):
        raise ValueError("its prefixes are out of order")
    within = np.diff(tokens) > 0
    within[first[1:-2][(first[1:-2] > 0) & (first[1:-2] < edges)] - 1] = True  # between two prefixes
    if not within.all() or tokens.min(initial=1) < 1 or tokens.max(initial=1) >= size:
        raise ValueError("its tokens are out of order, or beyond the vocabulary")
    if any(np.isposinf(np.asarray(each)).any() for each in (params.factors, params.ends)):
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
