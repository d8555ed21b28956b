"""What users pass in by mistake, or rightly in another form: refused in words, or taken. As users run it: unchecked."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

import mm_jax

from .conftest import unchecked

MISTAKES = {
    # l2 without weight matrices, and rates that lead to nan
    "mm_jax.fit(mm_jax.network.wrap(lambda v, t: v['C'][t], {'C': bigram.W}, vocab), words, key, steps=1, l2=0.1)": (
        "Network has no field whose name begins with W: leave l2 at 0"
    ),
    **{
        f"mm_jax.fit(bigram, words, key, steps=1, {option}={value})": f"{option} is {value}"
        for option, values in {
            "learning_rate": ("nan", "inf", "0.0", "-0.1"),
            "l2": ("nan", "inf", "-1.0"),
            "drop_states": ("1.0", "-0.1"),
        }.items()
        for value in values
    },
    "mm_jax.fit(bigram, words, key, steps=1, optimizer=optax.adamw, learning_rate=0.1, weight_decay=-1.0)": (
        "weight_decay is -1"
    ),
    "mm_jax.fit_population(jax.tree.map(lambda x: x[None], bigram), words, key[None], steps=1, learning_rate=[nan])": (
        "learning_rate is nan"
    ),
    "mm_jax.fit(bigram, words, key, mm_jax.Recipe(steps=1), steps=2)": "give a recipe or options, not both",
    "mm_jax.fit(bigram, words, key, steps=1, drop_states=0.5)": "drops no states: leave drop_states at 0",
    "mm_jax.fit(bigram, words, key, steps=True)": "steps is True: give 1 or more, a whole number",
    "mm_jax.fit(bigram, words, key, steps=1.5)": "steps is 1.5: give 1 or more, a whole number",
    "mm_jax.fit(bigram, words, key, steps=1, batch_size=2.0)": "batch_size is 2.0",
    "mm_jax.sample(counts, key, 2.5)": "num_samples is 2.5",
    # one str in place of a list, and what is no word
    "mm_jax.evaluate(counts, 'emma')": r"expected a list of words, got one str: write \['emma'\]",
    "mm_jax.fit(bigram, 'emma', key, steps=1)": r"got one str: write \['emma'\]",
    "mm_jax.counts.fit('emma', vocab)": "got one str",
    "mm_jax.ngram.fit('emma', vocab)": "emma does not exist: name a text or Parquet file",
    "mm_jax.mixture.fit([counts, bigram], 'emma')": "got one str",
    "mm_jax.Vocab.from_words('emma')": "got one str",
    "mm_jax.split_words('emmaolivia')": "got one str",
    "mm_jax.evaluate(counts, words, seen='emma')": "got one str",
    "mm_jax.sample(counts, key, 2, exclude='emma')": "got one str",
    "mm_jax.most_probable(counts, 2, exclude='emma')": "got one str",
    "mm_jax.evaluate(counts, [1, 2])": "expected words as str, got 1, a int",
    "mm_jax.evaluate(counts, ['emma', None])": "expected words as str, got None, a NoneType",
    "mm_jax.evaluate(counts, [b'emma'])": "expected words as str, got b'emma', a bytes",
    "mm_jax.evaluate(counts, mm_jax.split_words(words * 9))": "^expected words.{,90}: give one list, such",
    # arguments in another order, of another kind, or left out
    "mm_jax.sample(mm_jax.learn(words, key, 'quick'), key)": "Choice is not a model: it holds one, give its .params",
    "mm_jax.score('ab', counts)": "str is not a model: parameters come first, such as mm_jax.mlp.init",
    "mm_jax.mlp.init(vocab, key)": "^key is Vocab.*, of type Vocab: give a random key, such as jax.random.key",
    "mm_jax.mlp.init(key, words)": "^vocab is .*, of type list: give a vocabulary, such as mm_jax.Vocab.from_words",
    "mm_jax.sample(mm_jax.Bigram(bigram.W, words), key)": "vocab of Bigram is .*: give a vocabulary, such as",
    "mm_jax.Vocab(words)": "Vocab.from_words takes a list of words",
    "mm_jax.fit(bigram, words, key)": "give the number of steps, steps=1000, or a mm_jax.Recipe",
    "mm_jax.fit(bigram, words, key, step=3)": "no option is named step: choose steps$",
    "mm_jax.more(counts, words, key, 2, conditions={'new': True})": r"give mm_jax.Conditions\(new=True, ...\)",
    "mm_jax.mixture.fit(counts, words)": "a mixture needs two or more models",
    "mm_jax.page.write(counts, 'page.html', words='emma')": "expected a list of words, got one str",
    "mm_jax.evaluate(counts, None)": "expected a list of words, got None",
    "mm_jax.evaluate(counts, 7)": "expected a list of words, got 7",
    "mm_jax.rank(counts, words[0], 7)": "key is 7",
    "mm_jax.score(counts, 7)": "expected a word, got 7",
    # mixtures of what calls a character impossible
    "mm_jax.mixture.fit([unsmoothed, unsmoothed], words)": "no member expects one of the characters: smooth the counts",
    "mm_jax.mixture.fit([counts], words)": "two or more models",
    "mm_jax.mixture.fit([counts, bigram], words, steps=0)": "steps is 0",
    "mm_jax.mixture.fit([counts, bigram], words, learning_rate=float('nan'))": "learning_rate is nan",
    # sampling
    "mm_jax.sample(counts, key, temperature=float('inf'))": "temperature is inf",
    "mm_jax.sample(counts, key, temperature=-1)": "temperature is -1",
    "mm_jax.most_probable(counts, 0)": "k is 0",
    "mm_jax.most_probable(counts, 2, max_length=0)": "max_length is 0",
    "mm_jax.most_probable(counts, 2, budget=-1)": "budget is -1",
    "mm_jax.smaple": "smaple",
}
TAKEN = {
    "len(mm_jax.sample(counts, key, np.int64(2)))": 2,
    "len(mm_jax.sample(counts, key, num_samples=np.uint8(200)))": 200,
    "max(map(len, mm_jax.sample(counts, key, 50, max_length=np.int32(3), top_k=np.int64(5))))": 3,
    "len(mm_jax.most_probable(counts, np.int64(3), max_length=np.int64(4)))": 3,
    "len(mm_jax.fit(bigram, words, key, steps=np.int64(3), batch_size=np.int32(2))[1].loss)": 3,
    "len(mm_jax.fit(bigram, words, key, steps=3, learning_rate=np.float64(0.1), l2=np.float32(0.1))[1].loss)": 3,
    "len(mm_jax.fit(bigram, words, key, steps=3, learning_rate=jnp.float32(0.1))[1].loss)": 3,
    "list(mm_jax.mlp.init(key, vocab, hidden_dim=np.int64(4), block_size=np.int64(2)).W1.shape)": [20, 4],
    "len(mm_jax.ngram.fit(words, vocab, np.int64(3)).levels)": 3,
    "mm_jax.evaluate(counts, (word for word in words)) == mm_jax.evaluate(counts, words)": True,
    "mm_jax.evaluate(counts, np.array(words)) == mm_jax.evaluate(counts, words)": True,
    "mm_jax.evaluate(counts, words, seen=np.array(words)).words_unseen": 0,
    "mm_jax.evaluate(counts, words, seen=(word for word in words)).words_unseen": 0,
    "len(mm_jax.fit(bigram, (word for word in words), key, steps=3, dev=iter(words))[1].loss)": 3,
    "len(mm_jax.fit(bigram, iter(words), key, steps=3, draw='words')[1].loss)": 3,
    "int(mm_jax.counts.fit((word for word in words), vocab).N.sum())": 29,
    "int(mm_jax.ngram.fit(iter(words), vocab, 2).levels[0].first[-1])": 8,
    "[len(part) for part in mm_jax.split_words(word for word in words)]": [5, 1, 1],
    "mm_jax.Vocab.from_words(word for word in words).chars == vocab.chars": True,
    "mm_jax.mixture.fit([counts, bigram], iter(words), steps=3).weights.shape[0]": 2,
    "set(mm_jax.sample(counts, key, 50, exclude=np.array(['a', 'e', 'm']))) & {'a', 'e', 'm'} == set()": True,
    "set(mm_jax.sample(counts, key, 50, exclude=(word for word in ['a']))) & {'a'} == set()": True,
    "'a' in dict(mm_jax.most_probable(counts, 3, exclude=np.array(['a'])))": False,
    "bool(jnp.isfinite(mm_jax.mixture.fit([counts, unsmoothed], words).weights).all())": True,
    "bool(jnp.isfinite(mm_jax.mixture.fit([unsmoothed, counts], words).scores).all())": True,
}


@pytest.fixture(scope="module")
def scope():
    """What the expressions name."""
    words = ["emma", "ava", "mia", "eve", "amy", "may", "ada"]
    vocab = mm_jax.Vocab.from_words(words)
    key = jax.random.key(0)
    found = {"jax": jax, "jnp": jnp, "np": np, "optax": optax, "mm_jax": mm_jax, "nan": math.nan, "words": words}
    return found | {
        "vocab": vocab,
        "key": key,
        "counts": mm_jax.counts.fit(words, vocab, smoothing=1.0),
        "unsmoothed": mm_jax.counts.fit(words[:2], vocab),
        "bigram": mm_jax.bigram.init(key, vocab),
        "inf": math.inf,
    }


@pytest.mark.parametrize("expression", MISTAKES)
def test_refused_in_words(scope, expression):
    kind = AttributeError if "smaple" in expression else ValueError
    with unchecked(), pytest.raises(kind, match=MISTAKES[expression]):
        eval(expression, scope)


@pytest.mark.parametrize("expression", TAKEN)
def test_taken(scope, expression):
    with unchecked():
        assert eval(expression, scope) == TAKEN[expression]
