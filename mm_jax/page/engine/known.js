// mm_jax/page/bloom.py: tells whether the filter contains a word.

export function hash(word, seed) {
  let value = 0x811c9dc5 ^ seed;
  for (const char of word) value = Math.imul(value ^ char.codePointAt(0), 0x01000193);
  value = Math.imul(value ^ (value >>> 16), 0x85ebca6b);
  value = Math.imul(value ^ (value >>> 13), 0xc2b2ae35);
  return (value ^ (value >>> 16)) >>> 0;
}

export function isKnown(known, word) {
  if (!known) return false;
  const size = 8 * known.bits.length, first = hash(word, 0), step = hash(word, 1);
  for (let i = 0; i < known.hashes; i++) {
    const place = (first + i * step) % size;
    if (!((known.bits[place >> 3] >> (place & 7)) & 1)) return false;
  }
  return true;
}
