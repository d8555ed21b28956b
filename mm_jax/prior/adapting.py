"""Adapts the prior to a list: as it is, trained on the list, multiplied with the list's n-grams.

A list of one alphabet and length after the other must not compile anew. So training and prediction work on a GRU whose
alphabet is as large as the next multiple of 64, and the symbols of words are renamed to its first characters.
"""

import functools
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jaxtyping import Array, Bool, Float32, Int32, Key

from mm_jax import corpus
from mm_jax.checks import as_list, random_key
from mm_jax.layers.dropout import Dropout
from mm_jax.models import contract, ngram, product
from mm_jax.models.contract import Params
from mm_jax.models.gru import GRU
from mm_jax.models.prediction import TokenNLL, log_probs_of_prefixes
from mm_jax.prior import characters, network
from mm_jax.prior.network import Prior
from mm_jax.streams import sizes_of
from mm_jax.symbols import CHARACTERS, WORDS
from mm_jax.vocab import Vocab, vocabulary

FEWEST = 4  # words: fewer leave nothing to hold out
FOLDS = 4
MANY = 64  # distinct words: from here on two of the folds are tried, for the same losses in half the time
EPOCHS = (8.0, 20.0)  # numbers that are tried, beside none
GIVEN_UP = 0.1  # of the gain over n-grams: for words that are more like those of the list
MOST_STEPS = {True: 320, False: 600}  # with cross-validation, and with held-out words
RATE, DROP = 0.001, 0.1  # of Adam, falling to 0; the share of characters not shown
POSITIONS = 192  # characters of a step
POWERS, PULL = np.array([0.3, 0.7]), 5.0  # of n-grams and prior in lists before; how strongly powers are pulled there
LEAST_POWER = 0.02  # of the prior: with less, the n-grams are left alone
_STYLE = 8192  # tokens of a list that its style is taken from
_SIZES = 64  # alphabets are filled up to a multiple of this
_PRIVATE = 0xE000  # the first of the characters that words are renamed to


def check_list(params: Prior, words: Sequence[str], vocab: Vocab) -> Sequence[str]:
    """Returns `words` as a list; raises ValueError for what is no prior, no vocabulary, or no list of its words."""
    if not isinstance(params, Prior):
        raise ValueError(f"{type(params).__name__} is not a prior: parameters come first, mm_jax.prior.load()")
    vocabulary(vocab)
    words = as_list(words)
    if isinstance(words, list):  # and not a file of a million words
        corpus.tokens(words, vocab)  # refuses what is no word
    return words


def restrict(params: Prior, words: Sequence[str], vocab: Vocab) -> GRU:
    """Returns the prior as it is, for the alphabet and in the style of a list: a GRU, before any training on the list.

    Args:
      params: what `load` returns.
      words: the list, in any order.
      vocab: its characters. One that the prior does not know gets the rows of its kind.

    Raises ValueError for words as `corpus.tokens` says, and for symbols that are words.
    """
    words = check_list(params, words, vocab)
    if vocab.units == WORDS:
        raise ValueError("the prior knows characters, and graphemes by theirs; the symbols here are words")
    tokens = corpus.tokens(words, vocab)[:_STYLE]
    size = _size(vocab)
    ids = np.full((size, characters.MOST), -1, np.int32)
    ids[: len(vocab)] = characters.vocab_part_ids(params.parts, vocab)
    padded = np.zeros(max(256, 1 << (len(tokens) - 1).bit_length()), np.int32)
    padded[: len(tokens)] = tokens
    arrays = _as_gru(params, ids, padded, np.float32(len(tokens)))
    return particular(GRU(**arrays, vocab=_alphabet(size)), vocab)


@jax.jit
def _as_gru(params, ids, tokens, length):
    """Returns the arrays of the GRU."""
    embedded = network.embed(params, ids)
    style = network.style(params, embedded[0], tokens, length)
    C, b1 = network.gates(params, embedded, style)
    outputs = params.U @ embedded[1].T
    biases = network.output_biases(params, embedded, style)
    return {"C": C, "W1": params.W1, "b1": b1, "bn": params.bn, "W2": outputs, "b2": biases}


def adapt(
    params: Prior, words: Sequence[str], vocab: Vocab, key: Key[Array, ""], *, held: Sequence[str] | None = None
) -> GRU:
    """Returns the prior trained on a list: an ordinary GRU, with as many steps as held-out words want.

    Args:
      params: what `load` returns.
      words: the list, in any order; at least 4 distinct words are needed to hold some out, fewer get no step.
      vocab: its characters. One that the prior does not know starts from what its kind has in common.
      key: decides batches and dropout; the same key gives the same parameters.
      held: words that choose the number of steps; None is a cross-validation over `words`, on a quarter at a time.

    Raises ValueError for words, held ones too, as `corpus.tokens` says, and for a key that is no random key.
    """
    random_key("key", key)
    words = check_list(params, words, vocab)
    if held is not None:
        held = check_list(params, held, vocab)
    if held is None and len(set(words)) < FEWEST:
        return restrict(params, words, vocab)
    tried = steps_for(words, held is None, vocab.units)
    if held is not None:
        models = _trained(restrict(params, words, vocab), words, tried, key)
        return min(models.values(), key=lambda model: float(nlls(model, held).mean()))
    losses = dict.fromkeys(tried, 0.0)
    for fold, (train, rest) in enumerate(folds_of(words)):
        for steps, model in _trained(
            restrict(params, train, vocab), train, tried, jax.random.fold_in(key, fold)
        ).items():
            losses[steps] += float(nlls(model, rest).sum())
    best = min(losses, key=lambda steps: losses[steps])
    return train_on(restrict(params, words, vocab), words, best, key)


class Interpolated(NamedTuple):
    """The product of a list's n-grams and the adapted prior, and what cross-validation says of it.

    params: a Product; the n-grams alone where the prior does not help.
    steps: of the adapted prior.
    powers: of the n-grams and of the adapted prior.
    nll, ngram_nll: nats per character of words held out, of the product and of the n-grams alone.
    """

    params: Params
    steps: int
    powers: tuple[float, ...]
    nll: float
    ngram_nll: float


def interpolate(
    params: Prior, words: Sequence[str], vocab: Vocab, key: Key[Array, ""], *, order: int = 3
) -> Interpolated:
    """Multiplies a list's n-grams with the adapted prior; held-out words give the powers and the number of steps.

    The number of steps is the largest whose product keeps nine tenths of the best one's gain over the n-grams: at
    hardly any loss, the words are more like those of the list.

    Arguments and errors are those of `adapt`, and of `ngram.fit` for the order.

    Raises ValueError for fewer than 4 distinct words.

    Source: Klakow (1998), Log-linear interpolation of language models.
    """
    random_key("key", key)
    words = check_list(params, words, vocab)
    if len(set(words)) < FEWEST:
        raise ValueError(f"a product with the prior needs at least {FEWEST} distinct words")
    folds = folds_of(words)
    counted: list[np.ndarray] = []
    adapted: dict[int, list[np.ndarray]] = {steps: [] for steps in steps_for(words, units=vocab.units)}
    for fold, (train, rest) in enumerate(folds):
        counted.append(log_probs_of_prefixes(ngram.fit(train, vocab, order), rest))
        for steps, model in _trained(
            restrict(params, train, vocab), train, list(adapted), jax.random.fold_in(key, fold)
        ).items():
            adapted[steps].append(log_probs(model, rest))
    steps, powers, *losses = choose([rest for _, rest in folds], vocab, counted, adapted)
    members = (ngram.fit(words, vocab, order), train_on(restrict(params, words, vocab), words, steps, key))
    return Interpolated(multiply(members, powers), steps, tuple(powers.tolist()), *losses)


def choose(
    held: Sequence[Sequence[str]],
    vocab: Vocab,
    counted: Sequence[np.ndarray],
    adapted: Mapping[int, Sequence[np.ndarray]],
) -> tuple[int, np.ndarray, float, float]:
    """Chooses the number of steps, and the powers of n-grams and prior, on the words that are held out of each fold.

    Args:
      held: the words of each fold.
      vocab: their characters.
      counted: of each fold, log p of every token by the n-grams after each prefix of its words, [prefixes, vocab_size].
      adapted: the same by the prior, by number of steps.

    Returns steps, powers, the nll of the product with them, and that of the n-grams alone. The powers are 1 and 0 where
    the prior does not help.
    """
    tries = [corpus.prefixes(words, vocab) for words in held]
    first = np.cumsum([0, *(trie.distinct for trie in tries)])
    ids = np.concatenate([trie.ids + begin for trie, begin in zip(tries, first, strict=False)])
    targets = np.concatenate([trie.targets for trie in tries])
    of_ngrams = np.concatenate(counted)
    fitted = {
        steps: product.fit_powers(np.stack([of_ngrams, np.concatenate(rows)]), ids, targets, POWERS, PULL)
        for steps, rows in adapted.items()
    }
    ngram_nll = -float(of_ngrams[ids, targets].mean(dtype=np.float64))
    steps = most_that_keep({steps: nll for steps, (_, nll) in fitted.items()}, ngram_nll)
    powers, nll = fitted[steps]
    if powers[1] < LEAST_POWER or nll >= ngram_nll:
        return steps, np.array([1.0, 0.0]), ngram_nll, ngram_nll
    return steps, powers, nll, ngram_nll


def most_that_keep(losses: dict[int, float], ngram_nll: float) -> int:
    """Returns the most steps whose loss keeps nine tenths of the best gain over the n-grams; the best if none gains."""
    best = min(losses, key=lambda steps: losses[steps])
    allowed = losses[best] + GIVEN_UP * max(0.0, ngram_nll - losses[best])
    return max(steps for steps, nll in losses.items() if nll <= allowed)


def multiply(members: Sequence[Any], powers: np.ndarray) -> Params:
    """Returns the product of n-grams and prior, or the n-grams alone where the prior has no power."""
    return product.of(members, powers.tolist()) if powers[1] else members[0]


def steps_for(words: Sequence[str], folded: bool = True, units: str = CHARACTERS) -> tuple[int, ...]:
    """Returns the numbers of steps to try for a list: none, and some epochs of it.

    >>> steps_for(["anna", "hanna", "nana", "ann"] * 20)
    (0, 17, 42)
    """
    per_epoch = sizes_of(words, units).total / POSITIONS
    return (0, *sorted({min(MOST_STEPS[folded], max(2, round(epochs * per_epoch))) for epochs in EPOCHS}))


def positions(words: Sequence[str], folded: bool = True, units: str = CHARACTERS) -> int:
    """Returns how many symbols `interpolate` trains on, or `adapt` with held-out words."""
    tried = steps_for(words, folded, units)
    steps = _tried_folds(words) * sum(tried) + tried[-1] if folded else sum(tried)
    length = _row_length(words, units)
    return steps * _batch_size(length) * length


def _row_length(words: Sequence[str], units: str = CHARACTERS) -> int:
    return corpus.rounded_up(sizes_of(words, units).longest + 1, 8)


def _batch_size(length: int) -> int:
    """Returns the number of rows in a step."""
    return max(2, POSITIONS // length)


def folds_of(words: Sequence[str]) -> list[tuple[list[str], list[str]]]:
    """Returns pairs (train, held out), one for each fold that is tried; equal words are in one fold."""
    fold = {word: i % FOLDS for i, word in enumerate(dict.fromkeys(words))}
    tried = range(_tried_folds(words))
    return [([w for w in words if fold[w] != f], [w for w in words if fold[w] == f]) for f in tried]


def _tried_folds(words: Sequence[str]) -> int:
    """Returns how many of the four folds are tried."""
    return FOLDS if len(set(words)) < MANY else 2


def _trained(start: GRU, words: Sequence[str], tried: Sequence[int], key: Key[Array, ""]) -> dict[int, GRU]:
    """Returns the GRU by number of steps; each is a run of its own, whose rate falls to 0 at its end."""
    return {steps: train_on(start, words, steps, key) for steps in tried}


def train_on(params: GRU, words: Sequence[str], steps: int, key: Key[Array, ""]) -> GRU:
    """Returns a GRU trained on words for some steps, at a rate that falls to 0; `key` draws rows and dropout."""
    if steps == 0:
        return params
    wide, targets, inside, count = padded_rows(params, words)
    rates = np.zeros(MOST_STEPS[False], np.float32)
    rates[:steps] = RATE * (1 - np.arange(steps) / steps)
    trained: Any = _train(wide, targets, inside, count, rates, np.int32(steps), key)
    return particular(trained, params.vocab)


def padded_rows(
    params: GRU, words: Sequence[str]
) -> tuple[GRU, Int32[np.ndarray, "rows length"], Bool[np.ndarray, "rows length"], np.int32]:
    """Returns what is trained on, in few shapes: the general GRU, rows of words, a mask, the number of rows in use."""
    wide, renamed = general(params, words)
    rows = corpus.rows(renamed, wide.vocab, length=_row_length(renamed))
    padding = ((0, max(64, 4 ** int(np.ceil(np.log2(len(rows.targets)) / 2))) - len(rows.targets)), (0, 0))
    return wide, np.pad(rows.targets, padding), np.pad(rows.places >= 0, padding), np.int32(len(rows.targets))


@jax.jit
def _train(
    params: Any,  # a GRU
    targets: Int32[Array | np.ndarray, "rows length"],
    inside: Bool[Array | np.ndarray, "rows length"],
    count: Int32[Array | np.ndarray, ""],
    rates: Float32[Array | np.ndarray, " steps"],
    steps: Int32[Array | np.ndarray, ""],
    key: Key[Array, ""],
) -> Any:
    """Makes `steps` steps of Adam, each on rows drawn from the first `count`."""
    optimizer = optax.scale_by_adam(b2=0.99)
    batch_size = _batch_size(targets.shape[1])

    def loss(params: Any, rows: Array, mask: Array, key: Array) -> Array:
        dropout = Dropout(key=jax.random.split(key, batch_size), tokens=DROP, states=0.0, edges=0.0)
        log_probs = jax.nn.log_softmax(contract.unroll_rows(params, rows[:, :-1], dropout))
        nll = -jnp.take_along_axis(log_probs, rows[..., None], -1)[..., 0]
        return (nll * mask).sum() / mask.sum()

    def step(t: Any, carry: Any) -> Any:
        params, state = carry
        row_key, drop_key = jax.random.split(jax.random.fold_in(key, t))
        drawn = jax.random.randint(row_key, (batch_size,), 0, count)
        gradient = jax.grad(loss)(params, targets[drawn], inside[drawn].astype(jnp.float32), drop_key)
        with jax.numpy_dtype_promotion("standard"):  # Adam counts its steps in int32
            updates, state = optimizer.update(gradient, state)
        return optax.apply_updates(params, jax.tree.map(lambda update: -rates[t] * update, updates)), state

    return lax.fori_loop(0, steps, step, (params, optimizer.init(params)))[0]


def nlls(params: GRU, words: Sequence[str]) -> Float32[np.ndarray, " tokens"]:
    """Returns the nll of every token of words."""
    wide, renamed = general(params, words)
    return TokenNLL(renamed, wide)(wide)


def log_probs(params: GRU, words: Sequence[str]) -> Float32[np.ndarray, "prefixes vocab_size"]:
    """Returns log p of every token after each prefix of words, in the order of `corpus.prefixes`."""
    wide, renamed = general(params, words)
    return log_probs_of_prefixes(wide, renamed)[:, : len(params.vocab)]


def general(params: GRU, words: Sequence[str]) -> tuple[GRU, list[str]]:
    """Returns the GRU with its alphabet filled up and renamed, and the words in those characters."""
    V, size = len(params.vocab), _size(params.vocab)
    other = _alphabet(size)
    names = str.maketrans(dict(zip(params.vocab.chars[1:], other.chars[1:], strict=False)))
    C, W2, b2 = (np.asarray(array) for array in (params.C, params.W2, params.b2))
    more = size - V
    filled = {
        "C": np.pad(C, ((0, more), (0, 0))),
        "W2": np.pad(W2, ((0, 0), (0, more))),
        "b2": np.pad(b2, (0, more), constant_values=-1e4),  # no probability: 0 in float32
    }
    return replace(params, **jax.device_put(filled), vocab=other), [
        params.vocab.as_chars(word).translate(names) for word in words
    ]


def particular(params: GRU, vocab: Vocab) -> GRU:
    """Returns the GRU for the list's own alphabet again."""
    V = len(vocab)
    C, W2, b2 = (np.asarray(array) for array in (params.C, params.W2, params.b2))
    own = {"C": C[:V], "W2": np.ascontiguousarray(W2[:, :V]), "b2": b2[:V]}
    return replace(params, **jax.device_put(own), vocab=vocab)


def _size(vocab: Vocab) -> int:
    return corpus.rounded_up(len(vocab), _SIZES)


@functools.cache
def _alphabet(size: int) -> Vocab:
    return Vocab("." + "".join(map(chr, range(_PRIVATE, _PRIVATE + size - 1))))
