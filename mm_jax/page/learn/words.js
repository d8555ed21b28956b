// mm_jax/words.py, mm_jax/symbols.py, mm_jax/vocab.py and mm_jax/learning/plans.py: the alphabet of a list, its split, its folds.

import { CUTS, vocabulary } from "../engine/sampling.js";

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

const PRIVATE = 0xf0000; // the code points of symbols of several characters begin here
const BESIDE = [["a", ""], ["", "a"], ["ᄀ", ""], ["🇦", ""]]; // a character that joins others joins one of these
const sortKey = (symbol) => Array.from(symbol, (char) => char.codePointAt(0).toString(16).padStart(6, "0")).join("");

// Returns whether some grapheme of the words has several characters.
function hasClusters(words) {
  const joins = (char) => BESIDE.some(([before, after]) => CUTS.graphemes(before + char + after).length === 1);
  if (![...new Set(words.join(""))].some(joins)) return false;
  return words.some((word) => CUTS.graphemes(word).length < Array.from(word).length);
}

// Returns the vocabulary of words: a separator that no word holds, then the other symbols by code point; graphemes where
// one of them has several characters.
export function vocabularyOf(words) {
  const units = hasClusters(words) ? "graphemes" : "characters";
  const found = new Set(words.flatMap(CUTS[units]));
  let separator = [...".|/_␃"].find((char) => !found.has(char));
  for (let code = 0x2500; separator === undefined; code++) {
    if (!found.has(String.fromCodePoint(code))) separator = String.fromCodePoint(code);
  }
  const keys = new Map([...found].map((symbol) => [symbol, sortKey(symbol)]));
  const symbols = [separator, ...[...found].sort((a, b) => (keys.get(a) < keys.get(b) ? -1 : 1))];
  let next = PRIVATE;
  const isOwn = (symbol) => Array.from(symbol).length === 1 && symbol.codePointAt(0) < PRIVATE;
  const chars = symbols.map((symbol) => (units === "characters" || isOwn(symbol) ? symbol : String.fromCodePoint(next++)));
  return vocabulary(chars.join(""), symbols, units);
}

// Returns the token stream of mm_jax/corpus.py: 0, then each word and its 0.
export const tokensOf = (words, { ids, cut }) => (
  Int32Array.from([0, ...words.flatMap((word) => [...cut(word).map((symbol) => ids.get(symbol)), 0])]));
