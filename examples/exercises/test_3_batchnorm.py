"""Grades exercise 3 against NumPy in float64, and against the package's MLP."""

import exercise_3_batchnorm as answer
import jax
import jax.numpy as jnp
import numpy as np

import mm_jax

VOCAB = mm_jax.Vocab(".abcdefghijklmnopqrstuvwxyz")
SIZE = 8  # examples, and neurons: a mean over the wrong axis fits, and is wrong


def batch(seed):
    x = np.random.default_rng(seed).normal(1.0, 2.0, (SIZE, SIZE)) * np.linspace(0.01, 2, SIZE)
    return x, jnp.asarray(x, jnp.float32)


GAIN, BIAS = np.linspace(0.5, 1.5, SIZE), np.linspace(-1, 1, SIZE)
gain, bias = jnp.asarray(GAIN, jnp.float32), jnp.asarray(BIAS, jnp.float32)


def normalized(x, mean, var, eps=answer.EPS):
    return GAIN * (x - mean) / np.sqrt(var + eps) + BIAS


def pair(check, name, got, second):
    if not (isinstance(got, tuple) and len(got) == 2 and isinstance(got[1], dict) and {"mean", "var"} == set(got[1])):
        check.fail(
            f"{name} returns a {type(got).__name__}: a pair (y, {second}) is wanted, with mean and var in a dict."
        )
    return got


def test_easy(check):
    X, x = batch(0)
    mean, var = X.mean(0), X.var(0, ddof=1)
    y, stats = pair(check, "normalize", answer.normalize(x, gain, bias), "statistics")
    over_neurons = "It is over the neurons of one example: the batch is axis 0."
    check("mean", stats["mean"], mean, within=1e-5, known={over_neurons: X.mean(1)})
    known = {
        over_neurons: X.var(1, ddof=1),
        "It divides by n, and should by n - 1: ddof=1.": X.var(0),
        "It is the standard deviation: the variance is its square.": np.sqrt(var),
    }
    check("var", stats["var"], var, within=1e-5, known=known)
    known = {
        "It divides by the variance, not by its root.": GAIN * (X - mean) / (var + answer.EPS) + BIAS,
        "EPS is missing.": normalized(X, mean, var, 0),
        "Gain and bias are missing.": (X - mean) / np.sqrt(var + answer.EPS),
        "Its variance divides by n, and should by n - 1.": normalized(X, mean, X.var(0)),
    }
    check("y", y, normalized(X, mean, var), within=1e-5, known=known)


def test_middle(check):
    state = {"mean": jnp.zeros(SIZE), "var": jnp.ones(SIZE)}
    kept = dict(state)
    mean, var, m = np.zeros(SIZE), np.ones(SIZE), answer.MOMENTUM
    for seed, (X, x) in enumerate(map(batch, range(3))):
        was, new = (mean, var), (X.mean(0), X.var(0, ddof=1))
        mean, var = ((1 - m) * old + m * now for old, now in zip(was, new, strict=True))
        y, state = pair(
            check, "normalize_and_track", jax.jit(answer.normalize_and_track)(x, gain, bias, state), "state"
        )
        used = {"It uses the running statistics: in training the batch's are wanted.": normalized(X, mean, var)}
        check("y", y, normalized(X, *new), within=1e-5, known=used)
        for name, old, now, right in (("mean", was[0], new[0], mean), ("var", was[1], new[1], var)):
            known = {
                "It is the batch's alone.": now,
                "It is the old one.": old,
                "Old and new are swapped: MOMENTUM is the share of the batch.": m * old + (1 - m) * now,
                "The batch's variance divides by n, and should by n - 1.": (1 - m) * old + m * X.var(0),
            }
            check(f"running {name} after batch {seed + 1}", state[name], right, within=1e-5, known=known)

    given, (X, x) = dict(kept), batch(3)
    answer.normalize_and_track(x, gain, bias, given)
    if any(given[name] is not kept[name] for name in kept):
        check.fail("normalize_and_track changes the state that it is given: return a new dict.")
    gradient = jax.grad(lambda x: sum(map(jnp.sum, answer.normalize_and_track(x, gain, bias, kept)[1].values())))(x)
    sentence = "A gradient flows into the running statistics: jax.lax.stop_gradient."
    check("gradient of the new state", gradient, np.zeros((SIZE, SIZE)), known={sentence: gradient})
    right = normalized(X, mean, var)
    check("normalize_with", answer.normalize_with(x, gain, bias, state), right, within=1e-5)
    check("normalize_with of one example", answer.normalize_with(x[:1], gain, bias, state), right[:1], within=1e-5)


def network():
    keys = jax.random.split(jax.random.key(0), 6)
    shapes = {"C": (27, 4), "W1": (12, SIZE), "gain": (SIZE,), "bias": (SIZE,), "W2": (SIZE, 27), "b2": (27,)}
    params = {name: 0.5 * jax.random.normal(key, shapes[name]) for name, key in zip(shapes, keys, strict=True)}
    params["gain"] += 1
    return params, {"mean": jnp.linspace(-1, 1, SIZE), "var": jnp.array([1e-5, 0.1, 0.5, 1, 2, 3, 4, 9])}


def test_hard(check):
    params, state = network()
    got = answer.fold(params, state, VOCAB)
    if not isinstance(got, mm_jax.MLP):
        check.fail(f"fold returns a {type(got).__name__}: an mm_jax.MLP is wanted.")
    p = {name: np.asarray(value, np.float64) for name, value in (params | state).items()}
    scale = p["gain"] / np.sqrt(p["var"] + answer.EPS)
    known = {
        "The gain is missing.": p["W1"] / np.sqrt(p["var"] + answer.EPS),
        "It divides by the variance, not by its root.": p["W1"] * p["gain"] / (p["var"] + answer.EPS),
        "EPS is missing.": p["W1"] * p["gain"] / np.sqrt(p["var"]),
    }
    check("W1", got.W1, p["W1"] * scale, within=1e-5, known=known)
    known = {
        "The mean is missing: it is taken away from x @ W1, so scaled it belongs into b1.": p["bias"],
        "The mean is to be scaled too.": p["bias"] - p["mean"],
        "The sign of the mean: it is taken away.": p["bias"] + p["mean"] * scale,
    }
    check("b1", got.b1, p["bias"] - p["mean"] * scale, within=1e-5, known=known)
    for context in ([0, 0, 0], [0, 5, 13], [26, 1, 5]):
        x = p["C"][context].reshape(-1) @ p["W1"]
        h = np.tanh((x - p["mean"]) * scale + p["bias"])
        got_logits = mm_jax.mlp.logits(got, jnp.array(context))
        check(f"the MLP's logits of {context}", got_logits, h @ p["W2"] + p["b2"], within=1e-4)
