"""Grades exercise 5 against a loop over places in NumPy, float64, and against its own windows."""

import exercise_5_wavenet as answer
import jax
import jax.numpy as jnp
import numpy as np

WIDTH = 16


def network():
    keys = jax.random.split(jax.random.key(0), 9)
    layers = []
    for w, b in (keys[:2], keys[2:4], keys[4:6]):
        W = jax.random.normal(w, (2 * WIDTH, WIDTH)) / np.sqrt(2 * WIDTH)
        layers.append((W, 0.1 * jax.random.normal(b, (WIDTH,))))
    embeddings, output, c = (
        jax.random.normal(key, shape) for key, shape in zip(keys[6:], ((27, WIDTH), (WIDTH, 27), (27,)), strict=True)
    )
    return {"E": embeddings, "layers": layers, "O": output, "c": c}


def embedded(params, context):
    return [np.asarray(params["E"][token], np.float64) for token in context]


def right_window(params, x):
    """The tree as a loop over places, from the embedded window: each layer joins a place and the next one."""
    for W, b in params["layers"]:
        x = [
            np.tanh(np.concatenate(pair) @ np.asarray(W, np.float64) + b) for pair in zip(x[::2], x[1::2], strict=True)
        ]
    return x[0] @ np.asarray(params["O"], np.float64) + params["c"]


def test_easy(check):
    x = np.arange(2 * 8 * 3).reshape(2, 8, 3)
    right = np.concatenate([x[:, 0::2], x[:, 1::2]], axis=2)
    halves = np.concatenate([x[:, :4], x[:, 4:]], axis=2)
    known = {
        "It joins the halves: place 0 with place 4. Neighbours are wanted.": halves,
        "The later place comes first.": np.concatenate([x[:, 1::2], x[:, 0::2]], axis=2),
        "The numbers of the two places alternate: first all of one, then all of the other.": np.stack(
            [x[:, 0::2], x[:, 1::2]], axis=3
        ).reshape(2, 4, 6),
    }
    check("join of [2, 8, 3]", answer.join(jnp.asarray(x)), right, known=known)
    check("join of [8, 3]", answer.join(jnp.asarray(x[0])), right[0], known={"": halves[0]})
    check("join of [1, 2, 8, 3]", answer.join(jnp.asarray(x[None])), right[None])
    check("join of [2, 8, 3] with k = 4", answer.join(jnp.asarray(x), 4), x.reshape(2, 2, 12))


def test_middle(check):
    params = network()
    for context in ([0, 0, 0, 0, 0, 0, 0, 0], [0, 0, 0, 0, 25, 21, 8, 5], [4, 9, 15, 14, 4, 18, 5, 26]):
        right = right_window(params, embedded(params, context))
        known = {
            "The output's c is missing.": right - params["c"],
            "The context is read from its end.": right_window(params, embedded(params, context[::-1])),
        }
        got = answer.window_logits(params, jnp.array(context))
        check(f"window_logits of {context}", got, right, within=1e-4, known=known)
    got = jax.vmap(answer.window_logits, (None, 0))(params, jnp.array([context, context[::-1]]))
    check("window_logits under vmap", got[0], right, within=1e-4)


def windows(params, x):
    """The rows of an embedded word, one window after another; x begins with eight places in front."""
    return np.array([right_window(params, x[t : t + 8]) for t in range(len(x) - 7)])


def test_hard(check):
    params = network()
    for word in ([4, 9, 15, 14, 4, 18, 5], [1], []):
        x = embedded(params, [0] * 8 + word)
        right = windows(params, x)
        known = {
            "The last row is missing: what follows the whole word.": right[:-1],
            "The row before the first character is missing.": right[1:],
            "Zeros stand in front: the dots have an embedding too.": windows(params, [np.zeros(WIDTH)] * 8 + x[8:]),
        }
        got = answer.word_logits(params, jnp.array(word, jnp.int32))
        check(f"word_logits of {word}", got, right, within=1e-4, known=known)

    n = 24
    apart = 2 * (n + 1) * (7 * 2 * WIDTH**2 + 27 * WIDTH)  # the products of n + 1 windows, and their sums
    cost = jax.jit(answer.word_logits).lower(params, jnp.arange(n) % 27).cost_analysis()
    share = (cost or {})["flops"] / apart
    if share > 0.7:
        check.fail(
            f"word_logits takes {share:.0%} of the work of windows one by one: one pass takes 55%, as they share."
        )
