import jax
import jax.numpy as jnp
import numpy as np
import pytest

from mm_jax.layers import packing

from ..conftest import slow

ROWS = [[], [0], [3], [3, 1, 0, 2], [0, 0, 5, 5, 0, 1]]


@pytest.mark.parametrize("row", [ROWS[-1], *slow(ROWS[:-1])], ids=str)
def test_positions_and_mask_by_the_definition(row):
    inputs = jax.jit(packing.with_start)(np.int32(row))
    assert inputs.tolist() == [0, *row] and inputs.dtype == jnp.int32
    starts = [max(s for s in range(t + 1) if ([0, *row])[s] == 0) for t in range(len(row) + 1)]
    assert jax.jit(packing.word_positions)(inputs).tolist() == [t - start for t, start in enumerate(starts)]
    mask = np.array([[start <= s <= t for s in range(len(row) + 1)] for t, start in enumerate(starts)])
    np.testing.assert_array_equal(jax.jit(packing.causal_mask)(inputs), mask)
