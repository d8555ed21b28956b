// jax.random in JavaScript, bit for bit: a key is a pair of 32-bit numbers.

const ROTATIONS = [[13, 15, 26, 6], [17, 29, 16, 24]];

// Threefry-2x32 with 20 rounds (Salmon et al. 2011): encrypts two words of a counter with a key.
function threefry([k0, k1], x0, x1) {
  const keys = [k0, k1, k0 ^ k1 ^ 0x1bd11bda];
  x0 = (x0 + k0) | 0;
  x1 = (x1 + k1) | 0;
  for (let group = 0; group < 5; group++) {
    for (const r of ROTATIONS[group % 2]) {
      x0 = (x0 + x1) | 0;
      x1 = ((x1 << r) | (x1 >>> (32 - r))) ^ x0;
    }
    x0 = (x0 + keys[(group + 1) % 3]) | 0;
    x1 = (x1 + keys[(group + 2) % 3] + group + 1) | 0;
  }
  return [x0, x1];
}

// jax.random.key(seed) of a 32-bit seed, as JAX has it without 64-bit mode.
export const keyOf = (seed) => [0, seed | 0];

export const foldIn = (key, data) => threefry(key, 0, data);

// Returns entry i of jax.random.uniform(key, [n]), equal for all n: the upper 23 bits as a fraction.
export function uniform(key, i) {
  const [a, b] = threefry(key, 0, i);
  return ((a ^ b) >>> 9) * 2 ** -23;
}
