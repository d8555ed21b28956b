"""20,000 characters and 5,000 words: what is linear in the alphabet ends soon, what is quadratic is refused."""

import subprocess
import sys

import jax
import pytest

import mm_jax

pytestmark = pytest.mark.slow
SIZE = 20_000
SETUP = f"""
import random, jax, numpy as np, mm_jax
rng = random.Random(0)
letters = [chr(0x4E00 + i) for i in range({SIZE})]
words = ["".join(letters[(4 * i + j) % {SIZE}] for j in range(4)) + rng.choice(letters) for i in range(5000)]
vocab = mm_jax.Vocab.from_words(words)
assert len(vocab) == {SIZE} + 1
key = jax.random.key(0)
"""
MODELS = {
    "ngram": "params = mm_jax.ngram.fit(words, vocab, order=2)",
    "mlp, examples": """
params = mm_jax.mlp.init(key, vocab, hidden_dim=32)
params, history = mm_jax.fit(params, words, jax.random.key(1), steps=20, draw="examples")
assert np.isfinite(history.loss).all()
""",
    "rnn, words": """
params = mm_jax.rnn.init(key, vocab, hidden_dim=16)
params, history = mm_jax.fit(params, words, jax.random.key(1), steps=3, batch_size=8)
""",
}
VERBS = """
assert len(mm_jax.sample(params, jax.random.key(2), 20, max_length=6)) == 20
assert mm_jax.evaluate(params, words[:200]).nll > 0
assert mm_jax.score(params, words[0]).nll > 0
"""


@pytest.mark.parametrize("name", MODELS)
def test_linear_in_the_alphabet(name):
    """In at most 4 GB: a table of all pairs alone would take 1.6 GB of float32, and its gradient and a copy as much."""
    # The limit is set by the process itself: a function to call after a fork makes JAX warn.
    limit = "import resource; resource.setrlimit(resource.RLIMIT_CPU, (240, 240))\n"
    code = limit + SETUP + MODELS[name] + VERBS + "\nprint(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout.split()[-1]) < 4 * 2**20


VOCAB = mm_jax.Vocab("." + "".join(chr(0x4E00 + i) for i in range(SIZE)))


@pytest.mark.parametrize("name", ["counts", "bigram"])
def test_quadratic_in_the_alphabet(name):
    import jax

    make = {
        "counts": lambda: mm_jax.counts.fit(["\u4e00"], VOCAB),
        "bigram": lambda: mm_jax.bigram.init(jax.random.key(0), VOCAB),
    }
    with pytest.raises(
        ValueError, match="the alphabet has 20,000 characters: a table of all pairs takes 8,191; an n-gram model"
    ):
        make[name]()


def test_a_table_of_contexts_is_refused():
    words = [VOCAB.chars[i : i + 4] for i in range(1, SIZE, 4)]
    params = mm_jax.mlp.init(jax.random.key(0), VOCAB, hidden_dim=4)
    for options in ({"draw": "contexts"}, {"batch_size": None}):
        with pytest.raises(ValueError, match="contexts of 20,001 characters are too large a table: draw='examples'"):
            mm_jax.fit(params, words, jax.random.key(1), steps=1, **options)
