"""Grades exercise 4 against jax.vjp of each step alone, in float64, with random gradients coming in."""

import exercise_4_backprop as answer
import jax
import jax.numpy as jnp
import numpy as np
from backprop_check import check as judge

N, H, V, D = 6, 5, 4, 3  # different, so that a wrong product has a wrong shape


def draw(*shapes):
    random = np.random.default_rng(0)
    return [jnp.asarray(random.normal(size=shape)) for shape in shapes]


def compare(check, names, got, right):
    """`right` and `got` are tuples; a wrong gradient fails with what may explain it."""
    got = got if isinstance(got, tuple) else (got,)
    if len(got) != len(right):
        check.fail(f"{', '.join(names)} are wanted, {len(right)} gradients: {len(got)} came back.")
    for name, dy, expected in zip(names, got, right, strict=True):
        sentence = judge(name, dy, expected)
        if not sentence.startswith((f"{name}: exact", f"{name}: close")):
            check.fail(sentence)


def test_easy(check):
    with jax.enable_x64(True):
        h, W2, b2, dlogits = draw((N, H), (H, V), (V,), (N, V))
        _, pull = jax.vjp(lambda h, W2, b2: h @ W2 + b2, h, W2, b2)
        compare(check, ("dh", "dW2", "db2"), answer.output_layer(h, W2, dlogits), pull(dlogits))

        hpreact, dh = draw((N, H), (N, H))
        h, pull = jax.vjp(jnp.tanh, hpreact)
        compare(check, ("dhpreact",), answer.tanh_layer(h, dh), pull(dh))


def test_middle(check):
    with jax.enable_x64(True):
        (logits,), Y = draw((N, V)), jnp.array([0, 3, 3, 1, 2, 0])
        right = jax.grad(lambda z: -jnp.take_along_axis(jax.nn.log_softmax(z), Y[:, None], 1).mean())(logits)
        compare(check, ("dlogits",), answer.cross_entropy(logits, Y), (right,))

        logits, dprobs = draw((N, V), (N, V))
        counts = jnp.exp(logits)
        _, pull = jax.vjp(lambda c: c / c.sum(1, keepdims=True), counts)
        compare(check, ("dcounts",), answer.divide_by_sum(counts, dprobs), pull(dprobs))

        C, demb = draw((V, D), (N, 3, D))
        X = jnp.array([[0, 0, 0], [0, 0, 1], [0, 1, 2], [3, 3, 1], [3, 1, 0], [2, 2, 2]])
        _, pull = jax.vjp(lambda C: C[X], C)
        compare(check, ("dC",), answer.embedding(C, X, demb), pull(demb))


def test_hard(check):
    with jax.enable_x64(True):
        hprebn, gain, bias, dhpreact = draw((N, H), (1, H), (1, H), (N, H))
        hprebn = hprebn * jnp.array([0.003, 0.1, 1.0, 2.0, 5.0])  # EPS matters in the first

        def forward(hprebn, gain, bias):
            diff = hprebn - hprebn.mean(0, keepdims=True)
            var = (diff**2).sum(0, keepdims=True) / (N - 1)
            return gain * diff * (var + answer.EPS) ** -0.5 + bias

        _, pull = jax.vjp(forward, hprebn, gain, bias)
        got = answer.batch_norm(hprebn, gain, dhpreact)
        names, right = ("dhprebn", "dgain", "dbias"), pull(dhpreact)
        if isinstance(got, tuple) and len(got) == 3:  # the two that are easier first
            names, got, right = names[::-1], got[::-1], right[::-1]
        compare(check, names, got, right)
