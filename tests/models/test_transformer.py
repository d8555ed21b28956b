import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mm_jax
from mm_jax.models import contract, transformer

from ..conftest import drawn
from .test_whole_words import VOCAB
from .zoo import COMPILED, started, unrolled


def disturbed(params, scale=0.2):
    """No bias is 0 and no gain is 1."""
    leaves, tree = jax.tree.flatten(params)
    rng = np.random.default_rng(9)
    noisy = [np.asarray(leaf) + np.float32(scale) * rng.normal(size=leaf.shape).astype(np.float32) for leaf in leaves]
    return jax.tree.unflatten(tree, noisy)


@pytest.fixture(scope="module")
def small():
    return disturbed(drawn(transformer.init, VOCAB, num_layers=2, num_heads=2, width=4, max_length=6))


def norm(x, gain, shift):
    return gain * (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5) + shift


def reference(params, tokens):
    """The equation again in float64 NumPy, one word, position by position and head by head."""
    params = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params)
    blocks, width = params.blocks, params.C.shape[1]
    head = width // params.num_heads
    x = params.C[[0, *tokens]] + params.P[: len(tokens) + 1]
    for block in blocks:
        qkv = norm(x, block.gain1, block.shift1) @ block.Wqkv + block.bqkv
        a = np.zeros_like(x)
        for t in range(len(x)):
            for part in (slice(n * head, n * head + head) for n in range(params.num_heads)):
                q, k, v = (qkv[:, j * width : (j + 1) * width][:, part] for j in range(3))
                weights = np.exp(k[: t + 1] @ q[t] / head**0.5)
                a[t, part] = weights / weights.sum() @ v[: t + 1]
        x = x + a @ block.Wo + block.bo
        u = norm(x, block.gain2, block.shift2) @ block.W1 + block.b1
        u = 0.5 * u * (1 + np.tanh(np.sqrt(2 / np.pi) * (u + 0.044715 * u**3)))
        x = x + u @ block.W2 + block.b2
    return norm(x, params.gain, params.shift) @ params.Wu + params.bu


def test_the_equation_in_float64(small):
    tokens = [3, 1, 1, 6, 2]
    found = unrolled(small, np.array(tokens, np.int32))
    np.testing.assert_allclose(found, reference(small, tokens), rtol=1e-4, atol=1e-5)


class FlaxBlock(nn.Module):
    """The same block of Flax's own layers."""

    num_heads: int

    @nn.compact
    def __call__(self, x):
        mask = nn.make_causal_mask(jnp.zeros(x.shape[0]))
        x = x + nn.MultiHeadDotProductAttention(self.num_heads)(nn.LayerNorm(epsilon=1e-5)(x), mask=mask)
        inside = nn.gelu(nn.Dense(4 * x.shape[-1])(nn.LayerNorm(epsilon=1e-5)(x)))
        return x + nn.Dense(x.shape[-1])(inside)


def flax_weights(block, num_heads):
    width = block.Wo.shape[-1]
    heads = (num_heads, width // num_heads)
    Wqkv, bqkv = jnp.split(block.Wqkv, 3, -1), jnp.split(block.bqkv, 3, -1)
    attention = {
        name: {"kernel": W.reshape(width, *heads), "bias": b.reshape(heads)}
        for name, W, b in zip(("query", "key", "value"), Wqkv, bqkv, strict=True)
    }
    attention["out"] = {"kernel": block.Wo.reshape(*heads, width), "bias": block.bo}
    return {
        "LayerNorm_0": {"scale": block.gain1, "bias": block.shift1},
        "MultiHeadDotProductAttention_0": attention,
        "LayerNorm_1": {"scale": block.gain2, "bias": block.shift2},
        "Dense_0": {"kernel": block.W1, "bias": block.b1},
        "Dense_1": {"kernel": block.W2, "bias": block.b2},
    }


@pytest.mark.slow
def test_against_flax():
    params = disturbed(drawn(transformer.init, VOCAB, seed=2, num_layers=3, num_heads=4, width=16, max_length=9), 0.1)
    tokens = jnp.array([6, 6, 2, 1, 4, 3, 2], jnp.int32)

    @jax.jit
    def expected(params):
        x = params.C[jnp.append(0, tokens)] + params.P[: len(tokens) + 1]
        for block in params.blocks:
            x = FlaxBlock(4).apply({"params": flax_weights(block, 4)}, x)
        return nn.LayerNorm(epsilon=1e-5).apply({"params": {"scale": params.gain, "bias": params.shift}}, x)

    with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
        rows = np.asarray(expected(params)) @ params.Wu + params.bu
    np.testing.assert_allclose(unrolled(params, tokens), rows, rtol=1e-5, atol=1e-5)


def test_what_is_not_read_yet_is_not_seen(small):
    advance, logits = COMPILED
    state = advance(small, started(small), np.int32(2))
    keys = tuple(each.at[:, :, 2:].set(99.0) for each in state.keys)
    values = tuple(each.at[:, 2:].set(99.0) for each in state.values)
    full = state._replace(keys=keys, values=values)
    one, other = (advance(small, each, np.int32(3)) for each in (state, full))
    np.testing.assert_array_equal(logits(small, one), logits(small, other))


def test_longest_word(small):
    assert transformer.max_length(small) == 6
    contract.check_lengths(small, ["a" * 6])
    with pytest.raises(ValueError, match=r"'aaaaaaa' has 7 characters, and this Transformer reads 6 at most"):
        contract.check_lengths(small, ["a", "a" * 7])
    tokens = np.array([1, 2, 3, 4, 5, 6], np.int32)
    np.testing.assert_allclose(unrolled(small, tokens), reference(small, tokens.tolist()), rtol=1e-4, atol=1e-5)


def test_heads_that_do_not_divide_the_width():
    with pytest.raises(ValueError, match="3 heads do not divide a width of 64"):
        transformer.init(jax.random.key(0), mm_jax.Vocab(".a"), num_heads=3)
