"""What users pass to training by mistake: one ValueError that names the argument and says what it takes.

As users run it, unchecked: the type checker would refuse most of it before the package sees it.
"""

import jax
import numpy as np
import optax
import pytest

import mm_jax

from ..conftest import unchecked

NO_OPTIMIZER = r"give an optax optimizer \(optimizer=optax.adam\(0.01\)\), or with learning_rate a function of it"
RATE = "learning_rate is a function: give a number"
RECIPE = r"recipe is \{'steps': 1\}, of type dict: give a mm_jax.Recipe, or its options by name"
KEY = "give a random key, such as jax.random.key"
MISTAKES = {
    "fit(bigram, words, key, {'steps': 1})": RECIPE,
    "mm_jax.fit_population(two, words, keys, {'steps': 1})": RECIPE,
    "mm_jax.distil(bigram, counts, words, key, {'steps': 1})": RECIPE,
    # learning rates and decays
    "Recipe(steps=1, learning_rate=optax.linear_schedule(0.1, 0.0, 9))": RATE,
    "fit(bigram, words, key, steps=1, learning_rate=optax.linear_schedule(0.1, 0.0, 9))": RATE,
    "mm_jax.fit_population(two, words, keys, steps=1, learning_rate=lambda t: 0.1)": RATE,
    "mm_jax.distil(bigram, counts, words, key, steps=1, learning_rate=lambda t: 0.1)": RATE,
    "Recipe(steps=1, learning_rate='fast')": "learning_rate is 'fast': give a positive number",
    "Recipe(steps=1, learning_rate=[0.1])": r"learning_rate is \[0.1\]: give a positive number",
    "mm_jax.mixture.fit([bigram, counts], words, learning_rate=lambda t: 0.1)": "learning_rate is <function",
    "fit(bigram, words, key, steps=4, decay=lambda t: 0.5)": r"decay gives array\(0.5\) of shape \(\)",
    "mm_jax.fit_population(two, words, keys, steps=4, decay=lambda t: 0.5)": r"decay gives array\(0.5\) of shape",
    "Recipe(steps=1, decay=0.5)": "decay is 0.5: give a function of t / steps",
    "Recipe(steps=1, decay='cosine')": "decay is 'cosine': give a function of t / steps",
    "mm_jax.lr_range_test(bigram, words, key, low=lambda t: 0.1)": "low is <function .*: give a positive number",
    "mm_jax.lr_range_test(bigram, words, key, steps='many')": "steps is 'many': give 10 or more",
    "mm_jax.try_rates(bigram, words, key, num_rates=2.5)": "num_rates is 2.5: give 2 or more",
    # optimizers
    "Recipe(steps=1, optimizer=optax.adam)": NO_OPTIMIZER,
    "Recipe(steps=1, optimizer=optax.GradientTransformation)": NO_OPTIMIZER,
    "Recipe(steps=1, optimizer='adam', learning_rate=0.1)": NO_OPTIMIZER,
    "Recipe(steps=1, optimizer=None, learning_rate=0.1)": NO_OPTIMIZER,
    "Recipe(steps=1, optimizer=optax.GradientTransformation, learning_rate=0.1)": (
        "optimizer GradientTransformation is no function of the learning rate"
    ),
    "Recipe(steps=1, optimizer=lambda: optax.sgd(0.1), learning_rate=0.1)": "optimizer <lambda> is no function of the",
    "Recipe(steps=1, optimizer=lambda rate: 7, learning_rate=0.1)": "optimizer <lambda> gives 7: it has to give an",
    "fit(bigram, words, key, steps=1, optimizer=optax.lbfgs())": "optimizer cannot step by the gradient alone: choose",
    "mm_jax.lr_range_test(bigram, words, key, optimizer=optax.lbfgs, steps=10)": "cannot step by the gradient alone",
    "mm_jax.try_rates(bigram, words, key, optimizer=optax.lbfgs, num_rates=2, steps=2)": "cannot step by the gradient",
    "Recipe(steps=1, weight_decay=0.1)": "sgd has no weight decay: choose adamw or muon, or leave weight_decay at 0",
    "fit(bigram, words, key, steps=1, optimizer=optax.adam, learning_rate=0.1, weight_decay=0.1)": (
        "adam has no weight decay: choose adamw or muon"
    ),
    "Recipe(steps=1, optimizer=optax.adam(0.1), weight_decay=0.1)": "an optax optimizer holds its own",
    "Recipe(steps=1, optimizer=optax.adamw, learning_rate=0.1, weight_decay=optax.constant_schedule(0.1))": (
        "weight_decay is <function .*: give 0 or more"
    ),
    "Recipe(steps=1, l2='0.1')": "l2 is '0.1': give 0 or more",
    "Recipe(steps=1, drop_states=None)": "drop_states is None: give a share",
    "Recipe(steps=1, teach=[0.5])": r"teach is \[0.5\]: give a share",
    # keys
    "fit(bigram, words, 42, steps=1)": KEY,
    "fit(bigram, words, None, steps=1)": KEY,
    "fit(bigram, words, np.random.default_rng(0), steps=1)": KEY,
    "fit(bigram, words, jax.random.PRNGKey(0), steps=1)": f"key is an array of uint32: {KEY}",
    "fit(bigram, words, keys, steps=1)": rf"key has shape \(2,\): {KEY}",
    "mm_jax.distil(bigram, counts, words, 42, steps=1)": KEY,
    "mm_jax.lr_range_test(bigram, words, 42)": KEY,
    "mm_jax.try_rates(bigram, words, 42)": KEY,
    "mm_jax.fit_population(two, words, 42, steps=1)": "keys is 42, of type int: give an array of random keys",
    "mm_jax.fit_population(two, words, [key, key], steps=1)": "of type list: give an array of random keys",
    "mm_jax.fit_population(two, words, key, steps=1)": r"keys has shape \(\): give an array of random keys",
    "mm_jax.sample(counts, 42)": KEY,
    "mm_jax.sample(counts, keys)": KEY,
}


@pytest.fixture(scope="module")
def scope():
    """What the expressions name."""
    words, vocab = ["ab", "abb", "b"], mm_jax.Vocab(".ab")
    bigram = mm_jax.bigram.init(jax.random.key(0), vocab)
    found = {"jax": jax, "np": np, "optax": optax, "mm_jax": mm_jax, "fit": mm_jax.fit, "Recipe": mm_jax.Recipe}
    return found | {
        "words": words,
        "vocab": vocab,
        "key": jax.random.key(1),
        "keys": jax.random.split(jax.random.key(2), 2),
        "bigram": bigram,
        "counts": mm_jax.counts.fit(words, vocab, smoothing=1.0),
        "two": jax.tree.map(lambda x: jax.device_put(np.stack([x, x])), bigram),
    }


@pytest.mark.parametrize("expression", MISTAKES)
def test_refused_in_words(scope, expression):
    with unchecked(), pytest.raises(ValueError, match=MISTAKES[expression]):
        eval(expression, scope)
