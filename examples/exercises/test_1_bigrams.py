"""Grades exercise 1 against the package's count model, a table made of strings, and the lecture's own names."""

from collections import Counter
from pathlib import Path

import exercise_1_bigrams as answer
import jax.numpy as jnp
import numpy as np
from torch_random import TorchGenerator

import mm_jax

WORDS = ["emma", "olivia", "ava", "isabella", "sophia", "zuzu"]
VOCAB = mm_jax.Vocab(answer.CHARS)
NAMES = Path(mm_jax.words.bundled_names()).parent / "names_bigrams.csv"  # the counts of the lecture's list


def right_pairs():
    return np.asarray(mm_jax.counts.fit(WORDS, VOCAB).N)


def right_triples(words, dots=".."):
    counted = Counter(text[i : i + 3] for text in (f"{dots}{word}." for word in words) for i in range(len(text) - 2))
    T = np.zeros((27, 27, 27), int)
    for triple, count in counted.items():
        T[tuple(map(answer.CHARS.index, triple))] = count
    return T


def test_easy(check):
    N = right_pairs()
    inside = N.copy()
    inside[0, :] = inside[:, 0] = 0
    known = {
        "It is transposed: row i is what comes first.": N.T,
        "The dots at both ends are missing.": inside,
        "Each pair is counted once only: add 1 each time.": N > 0,
        "Only the first word is counted.": mm_jax.counts.fit(WORDS[:1], VOCAB).N,
    }
    check("count_pairs", answer.count_pairs(WORDS), N, known=known)


def pairs_of(word):
    return [tuple(map(answer.CHARS.index, pair)) for pair in zip("." + word, word + ".", strict=True)]


def test_middle(check):
    # In counts of words the sums of rows and of columns are equal, and along a word the mean is the same by either:
    # only another table shows which of them was taken.
    counted, drawn = right_pairs(), np.random.default_rng(0).integers(1, 9, (27, 27))
    for table, N, words, smoothing in (
        ("N", counted, ["emma"], 0.0),
        ("N", counted, ["emma"], 1.0),
        ("N", counted, WORDS, 0.5),
        ("another N", drawn, ["aaron", "mia"], 1.0),
    ):
        i, j = np.array([tokens for word in words for tokens in pairs_of(word)]).T
        right = mm_jax.evaluate(mm_jax.counts.from_table(N, VOCAB, smoothing), words).nll
        total, letters = right * len(i), sum(map(len, words))
        by_column = -np.log((N[i, j] + smoothing) / (N + smoothing).sum(0)[j]).mean()
        known = {
            "It is the sum: divide by the number of pairs.": total,
            "The minus is missing.": -right,
            "It is divided by the number of characters: each end of a word is a pair too.": total / letters,
            "Columns were divided by their sums, not rows: axis=1, keepdims=True.": by_column,
            "Its logarithm is to the base 2: nats are wanted.": right / np.log(2),
        }
        got = answer.mean_nll(jnp.asarray(N), words, smoothing)
        check(f"mean_nll({table}, {words}, {smoothing})", got, right, within=1e-5, known=known)


def test_hard(check):
    known = {
        "Only one dot stands before a word: the first character has two before it.": right_triples(WORDS, "."),
        "Its axes are in another order: T[first, second, third].": right_triples(WORDS).transpose(2, 1, 0),
    }
    check("count_triples", answer.count_triples(WORDS), right_triples(WORDS), known=known)

    T = jnp.asarray(right_triples(["ab", "abb", "ba"]))
    check("the word of 0.5, 0.3, 0.2", answer.draw_word(T, np.array([0.5, 0.3, 0.2])), "ab")
    check("the word of 0.9, 0.9, 0.9", answer.draw_word(T, np.array([0.9, 0.9, 0.9])), "ba")
    check("the word of 0.1, 0.1, 0.7, 0.9", answer.draw_word(T, np.array([0.1, 0.1, 0.7, 0.9])), "abb")
    lowest = {"0.0 is below the first end: no token of probability 0 may come of it (side='right').": ""}
    check("the word of 0.0, 0.0, 0.0", answer.draw_word(T, np.zeros(3)), "ab", known=lowest)

    # Counts of three that ignore the first one are counts of two; with the lecture's numbers they give its names.
    pairs = np.loadtxt(NAMES, delimiter=",", skiprows=1, usecols=range(1, 28), dtype=np.int32)
    T, uniforms, names = jnp.asarray(np.broadcast_to(pairs, (27, 27, 27))), TorchGenerator(2147483647).rand64(60), []
    while len(names) < 5:
        names.append(answer.draw_word(T, uniforms))
        uniforms = uniforms[len(names[-1]) + 1 :]
    right = "mor axx minaymoryles kondlaisah anchshizarie"
    check("five names drawn with the lecture's numbers", " ".join(names), right)
