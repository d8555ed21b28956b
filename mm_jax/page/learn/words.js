// mm_jax/words.py, mm_jax/vocab.py and mm_jax/learning/plans.py: the alphabet of a list, its split, its folds.

export const CHOICE_WORDS = 4000;
const SHORT = 500, FOLDS = 10;

// random.Random(seed): the Mersenne Twister MT19937, seeded by init_by_array([seed]); returns getrandbits.
function twister(seed) {
  const state = new Uint32Array(624), mixed = (i) => state[i - 1] ^ (state[i - 1] >>> 30);
  let i = 1, at = 624;
  const next = () => { if (++i === 624) { state[0] = state[623]; i = 1; } };
  state[0] = 19650218;
  for (let k = 1; k < 624; k++) state[k] = Math.imul(1812433253, mixed(k)) + k;
  for (let k = 0; k < 624; k++, next()) state[i] = (state[i] ^ Math.imul(mixed(i), 1664525)) + seed;
  for (let k = 0; k < 623; k++, next()) state[i] = (state[i] ^ Math.imul(mixed(i), 1566083941)) - i;
  state[0] = 0x80000000;
  return (bits) => {
    if (at === 624) {
      for (at = 0; at < 624; at++) {
        const y = (state[at] & 0x80000000) | (state[(at + 1) % 624] & 0x7fffffff);
        state[at] = state[(at + 397) % 624] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
      }
      at = 0;
    }
    let y = state[at++];
    y ^= y >>> 11;
    y ^= (y << 7) & 0x9d2c5680;
    y ^= (y << 15) & 0xefc60000;
    return ((y ^ (y >>> 18)) >>> 0) >>> (32 - bits);
  };
}

// Splits words into 80% train, 10% dev, 10% test after random.Random(42).shuffle; all are train where a part is empty.
export function split(words) {
  const shuffled = [...words], draw = twister(42), n = words.length;
  for (let i = n - 1; i > 0; i--) {
    const bits = 32 - Math.clz32(i + 1);
    let j = draw(bits);
    while (j > i) j = draw(bits);
    [shuffled[i], shuffled[j]] = [shuffled[j], shuffled[i]];
  }
  const [first, second] = [Math.floor(0.8 * n), Math.floor(0.9 * n)];
  const parts = [shuffled.slice(0, first), shuffled.slice(first, second), shuffled.slice(second)];
  return parts.every((part) => part.length) ? parts : [[...words], [], []];
}

export const isShort = (parts) => parts.flat().length < SHORT;

// Returns pairs [train, dev] for the choice of the order: one, or of a short list the folds of a cross-validation.
export function foldsOf([train, dev, test]) {
  if (!isShort([train, dev, test])) return [[train, dev.slice(0, CHOICE_WORDS)]];
  const both = [...train, ...dev], n = Math.min(FOLDS, both.length);
  const part = (fold, held) => both.filter((_, i) => (i % n === fold) === held);
  return Array.from({ length: n }, (_, fold) => [part(fold, false), part(fold, true)]);
}

// Returns the characters of a vocabulary: a separator that no word holds, then the others by code point.
export function alphabetOf(words) {
  const chars = new Set(words.join(""));
  let separator = [...".|/_␃"].find((char) => !chars.has(char));
  for (let code = 0x2500; separator === undefined; code++) {
    if (!chars.has(String.fromCodePoint(code))) separator = String.fromCodePoint(code);
  }
  return separator + [...chars].sort((a, b) => a.codePointAt(0) - b.codePointAt(0)).join("");
}

// Returns the token stream of mm_jax/corpus.py: 0, then each word and its 0.
export function tokensOf(words, vocab) {
  const ids = new Map(vocab.chars.map((char, i) => [char, i]));
  return Int32Array.from([0, ...Array.from(words.join(vocab.chars[0]), (char) => ids.get(char)), 0]);
}
