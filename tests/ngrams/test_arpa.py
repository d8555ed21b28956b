import numpy as np
import pytest

import mm_jax
from mm_jax import Vocab

from ..conftest import BUNDLED, LETTERS
from ..models.zoo import COMPILED

WORDS = BUNDLED[::15]


def read_arpa(path):
    """A reader of the format: log10 probabilities and back-off weights by n-gram."""
    p, backoff, said, found, section = {}, {}, {}, {}, 0
    for line in path.read_text(encoding="utf-8").splitlines():
        if line.startswith("ngram "):
            n, count = line[6:].split("=")
            said[int(n)] = int(count)
        elif line.endswith("-grams:"):
            section = int(line[1:-7])
        elif "\t" in line:
            value, gram, *weight = line.split("\t")
            gram = tuple(gram.split(" "))
            assert len(gram) == section
            p[gram] = float(value)
            found[section] = found.get(section, 0) + 1
            if weight:
                backoff[gram] = float(weight[0])
    assert said == found
    return p, backoff


def log10_p(p, backoff, gram):
    if gram in p:
        return p[gram]
    return backoff.get(gram[:-1], 0.0) + log10_p(p, backoff, gram[1:])


@pytest.mark.parametrize("order", [1, 2, 4])
def test_a_reader_of_the_file_finds_the_models_probabilities(tmp_path, order):
    words = [*WORDS, "an na", "n\0a"]
    vocab = Vocab.from_words(words)
    params = mm_jax.ngram.fit(words, vocab, order)
    logits = COMPILED[1]
    mm_jax.ngram.to_arpa(params, tmp_path / "model.arpa")
    p, backoff = read_arpa(tmp_path / "model.arpa")
    name = {char: {" ": "U+0020", "\0": "U+0000"}.get(char, char) for char in vocab.chars}
    assert b"\0" not in (tmp_path / "model.arpa").read_bytes()
    rng = np.random.default_rng(0)
    for word in [*WORDS[:20], "an na", *("".join(rng.choice(list(vocab.chars[1:]), 5)) for _ in range(20))]:
        history = ["<s>"]
        context = [0] * (order - 1)
        for char in [*word, "."]:
            row = np.asarray(logits(params, np.array(context, np.int32)))
            symbol = "</s>" if char == "." else name[char]
            gram = (*history[1 - order :], symbol) if order > 1 else (symbol,)
            expected = float(row[vocab.chars.index(char)]) / np.log(10)
            assert log10_p(p, backoff, gram) == pytest.approx(expected, abs=1e-4), (word, gram)
            history = [*history, symbol][-max(order - 1, 1) :]
            context = [*context, vocab.chars.index(char)][1:] if order > 1 else []


@pytest.mark.parametrize("order", [2, 3, 5])
def test_kenlm_finds_the_models_probabilities_of_words(tmp_path, order):
    """Lines of which a half is not in the list, so that contexts are backed off."""
    kenlm = pytest.importorskip("kenlm", reason="kenlm is not installed: pip install kenlm")
    rng = np.random.default_rng(0)
    lines = [" ".join(f"w{i % 500}" for i in rng.zipf(1.2, 9)) for _ in range(800)]
    vocab = Vocab.from_words(lines, "words")
    params = mm_jax.ngram.fit(lines[:400], vocab, order)
    mm_jax.ngram.to_arpa(params, tmp_path / "model.arpa")
    read = kenlm.Model(str(tmp_path / "model.arpa"))
    for line in lines[::4]:
        found = [10**log10_p for log10_p, *_ in read.full_scores(line, bos=True, eos=True)]
        expected = [each.probability for each in mm_jax.score(params, line).characters]
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=0)


def test_only_ngrams():
    with pytest.raises(ValueError, match="Counts has no n-grams"):
        mm_jax.ngram.to_arpa(mm_jax.counts.fit(WORDS, LETTERS), "nowhere")
