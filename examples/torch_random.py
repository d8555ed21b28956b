"""The random numbers of the lectures, without torch: its generator on a CPU, in NumPy.

The generator is the Mersenne Twister, seeded as NumPy seeds it; what torch makes of its 32-bit numbers is written here.
With it plain JAX in float32 repeats the runs of the lectures that name a seed: their weights, their minibatches, their
names. Uniform numbers and integers are torch's to the bit, normal ones within 5e-7 (log and cos round otherwise).

    >>> torch = TorchGenerator(2147483647)
    >>> torch.randn(27, 2)[0]
    array([ 1.567362  , -0.23729232], dtype=float32)

It is for repeating what was drawn. A program of your own draws with `jax.random`, from keys.
"""

import math

import numpy as np

BLOCK = 16  # torch draws normal numbers in blocks of so many


class TorchGenerator:
    """Draws as `torch.Generator().manual_seed(seed)` on a CPU does: calls in the same order give the same numbers."""

    def __init__(self, seed: int):
        """`seed`: 0 to 2**32 - 1."""
        self._twister = np.random.RandomState(seed)

    def _bits(self, n: int) -> np.ndarray:
        """Returns the next n numbers of the twister: uint64 [n], each below 2**32."""
        drawn = self._twister.bytes(4 * n) if n else b""  # NumPy takes a number of the twister even for 0 bytes
        return np.frombuffer(drawn, "<u4").astype(np.uint64)

    def rand(self, *shape: int) -> np.ndarray:
        """Draws uniform numbers in [0, 1): float32, as `torch.rand(*shape)`. 24 bits of one number make each."""
        low = self._bits(math.prod(shape)) & np.uint64(2**24 - 1)
        return (low.astype(np.float32) * np.float32(2**-24)).reshape(shape)

    def rand64(self, *shape: int) -> np.ndarray:
        """Draws uniform numbers in [0, 1): float64, as multinomial uses them. 53 bits of two numbers make each."""
        high, low = self._bits(2 * math.prod(shape)).reshape(-1, 2).T
        return (((high << np.uint64(32) | low) & np.uint64(2**53 - 1)) * 2.0**-53).reshape(shape)

    def randint(self, high: int, *shape: int) -> np.ndarray:
        """Draws whole numbers in [0, high): int64, as `torch.randint(0, high, shape)` does up to 2**32."""
        return (self._bits(math.prod(shape)) % np.uint64(high)).astype(np.int64).reshape(shape)

    def randn(self, *shape: int) -> np.ndarray:
        """Draws normal numbers: float32, as `torch.randn(*shape)`, by Box and Muller on blocks of 16.

        ValueError for fewer than 16 numbers: torch draws those in another way.
        """
        n = math.prod(shape)
        if n < BLOCK:
            raise ValueError(f"torch draws {n} normal numbers, fewer than {BLOCK}, in another way")
        uniform = self.rand(n)
        whole = n - n % BLOCK
        normal = np.empty(n, np.float32)
        normal[:whole] = _box_muller(uniform[:whole])
        if whole < n:  # torch draws the last 16 numbers anew where the last block is cut
            normal[-BLOCK:] = _box_muller(self.rand(BLOCK))
        return normal.reshape(shape)

    def categorical(self, probs: np.ndarray) -> int:
        """Draws one index, as `torch.multinomial(probs, 1)` does: the largest of probs / exponential numbers.

        `probs`: float32 [V], positive. This is the Gumbel-max trick, which `jax.random.categorical` uses too.
        """
        exponential = -np.log1p(-self.rand64(len(probs)))
        return int(np.argmax(np.asarray(probs) / exponential.astype(np.float32)))

    def categorical_old(self, probs: np.ndarray, n: int = 1) -> np.ndarray:
        """Draws n indexes, as `torch.multinomial(probs, n, replacement=True)` does: int64 [n].

        Each is the place in the cumulated probabilities of one uniform number.
        """
        total = np.cumsum(probs)
        return np.searchsorted(total / total[-1], self.rand64(n))


def _box_muller(uniform: np.ndarray) -> np.ndarray:
    """Makes normal numbers of uniform ones, 16 of 16: the first eight of a block give radii, the others angles."""
    radius = np.sqrt(-2 * np.log(1 - uniform.reshape(-1, BLOCK)[:, : BLOCK // 2]))
    angle = np.float32(2 * np.pi) * uniform.reshape(-1, BLOCK)[:, BLOCK // 2 :]
    return np.concatenate([radius * np.cos(angle), radius * np.sin(angle)], axis=1).ravel()
