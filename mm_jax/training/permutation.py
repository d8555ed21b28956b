"""A random order of any number of things that is computed, not stored: a keyed permutation of 0 ... size - 1.

    left, right = right, left ^ F(right, secret)      once for each secret: a Feistel network
    repeated while the result is `size` or more       cycle walking

A Feistel network is a permutation of all numbers of an even count of bits, whatever F is: each round can be undone. Of
these numbers `size` or more are left out by cycle walking, in less than four rounds of it on average. So the place of
one number takes no memory and no other number: a shuffle of 10^9 rows would take 4 GB.

Source: Luby and Rackoff (1988), How to construct pseudorandom permutations; Black and Rogaway (2002), Ciphers with
arbitrary finite domains. F's mixing is that of Steele et al. (2014), Fast splittable pseudorandom number generators.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Int, Key, UInt64

ROUNDS = 6


def secrets(key: Key[Array, ""], number: int) -> UInt64[np.ndarray, " secrets"]:
    """Draws ROUNDS + 1 numbers of 64 bits from `fold_in(key, number)`: those of a permutation, and one to spare.

    >>> secrets(jax.random.key(0), 3).shape
    (7,)
    """
    drawn = jax.random.bits(jax.random.fold_in(key, number), (ROUNDS + 1, 2), jnp.uint32)
    halves = np.asarray(drawn).astype(np.uint64)
    return (halves[:, 0] << np.uint64(32)) | halves[:, 1]


def permuted(
    numbers: Int[np.ndarray, "*shape"], size: int, rounds: UInt64[np.ndarray, " rounds"]
) -> Int[np.ndarray, "*shape"]:
    """Returns where numbers in 0 ... size - 1 come in the order that `rounds`, a secret for each round, makes: int64.

    >>> sorted(permuted(np.arange(5), 5, secrets(jax.random.key(0), 0)[:ROUNDS]).tolist())
    [0, 1, 2, 3, 4]
    """
    half = np.uint64(max(1, ((size - 1).bit_length() + 1) // 2))
    found = _network(numbers.astype(np.uint64), half, rounds)
    while (outside := found >= np.uint64(size)).any():
        found[outside] = _network(found[outside], half, rounds)
    return found.astype(np.int64)


def _network(
    numbers: UInt64[np.ndarray, "*shape"], half: np.uint64, rounds: UInt64[np.ndarray, " rounds"]
) -> UInt64[np.ndarray, "*shape"]:
    """Permutes the numbers of 2 * half bits."""
    low = (np.uint64(1) << half) - np.uint64(1)
    left, right = numbers >> half, numbers & low
    for secret in rounds:
        left, right = right, left ^ (_mixed(right + secret) & low)
    return (left << half) | right


def _mixed(x: UInt64[np.ndarray, "*shape"]) -> UInt64[np.ndarray, "*shape"]:
    """Returns numbers each of whose bits depends on all bits of x; products of arrays wrap around at 64 bits."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))
