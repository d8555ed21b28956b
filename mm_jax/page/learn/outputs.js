// mm_jax/prior/heads.py: trains the output layer of the prior on a list, and multiplies it with the list's n-grams.
// logits = h @ W2 + b2, with h computed once; Adam on the mean nll of all tokens, each step of all of them
// p(w | word so far) = 1/Z * p_ngram ^ power_0 * p_prior ^ power_1

import { logSumExp } from "../engine/contract.js";
import { product, transposed } from "./prior.js";

export const STEPS = [0, 1, 2, 4, 8, 16];
const RATE = 0.008, EPSILON = 1e-6;
export const FEWEST = 4;
export const LEAST_POWER = 0.02; // of the prior: with less, the n-grams are left alone
const FOLDS = 4, MANY = 64;
// mm_jax/prior/adapting.py, mm_jax/models/product.py
const POWERS = [0.3, 0.7], PULL = 5, LOWEST = 1e-4, LEAST = -99, NEWTON = 30;
const CELLS = 2 ** 21; // tokens * characters that are trained on
export const LARGEST = 2 ** 23; // tokens * characters of a list with which the prior is mixed
const BLOCK = 256; // prefixes between two breaks

// Returns the first words whose tokens, times the size of the alphabet, are within the limit.
export function trainable(words, { cut, symbols }) {
  let cells = 0;
  const end = words.findIndex((word) => (cells += (cut(word).length + 1) * symbols.length) > CELLS);
  return end < 0 ? words : words.slice(0, Math.max(FEWEST, end));
}

// Returns pairs [train, held out] of distinct words: two of four folds from 64 words on.
export function layerFolds(words) {
  const tried = words.length < MANY ? FOLDS : 2;
  const part = (fold, held) => words.filter((_, i) => (i % FOLDS === fold) === held);
  return Array.from({ length: tried }, (_, fold) => [part(fold, false), part(fold, true)]);
}

// Returns log p of all tokens from the states of some prefixes, by rows: [prefixes, vocab_size].
function logRows(states, { W2, b2 }) {
  const size = b2.length, out = product(states, W2, W2.length / size, b2);
  for (let at = 0; at < out.length; at += size) {
    const row = out.subarray(at, at + size), total = logSumExp(row);
    for (let i = 0; i < size; i++) row[i] -= total;
  }
  return out;
}

// Returns the distinct prefixes of a trie that tokens follow; of each token, its prefix among these.
export function prefixesOf(ids, targets) {
  const places = new Map(), at = Int32Array.from(ids, (id) => {
    if (!places.has(id)) places.set(id, places.size);
    return places.get(id);
  });
  return { nodes: Array.from(places.keys()), at, targets };
}

// Returns log p of every token after some prefixes, by an output layer: [prefixes, vocab_size] by rows. Yields often.
export function* layerRows(states, layer, nodes) {
  const size = layer.b2.length, width = layer.W2.length / size, found = new Float32Array(nodes.length * size);
  for (let first = 0; first < nodes.length; first += BLOCK) {
    const some = nodes.slice(first, first + BLOCK), given = new Float64Array(some.length * width);
    some.forEach((node, i) => given.set(states.subarray(node * width, (node + 1) * width), i * width));
    found.set(logRows(given, layer), first * size);
    yield;
  }
  return found;
}

// One step of Adam, in place.
function adam(values, gradient, state, t) {
  for (let i = 0; i < values.length; i++) {
    state.mean[i] = 0.9 * state.mean[i] + 0.1 * gradient[i];
    state.square[i] = 0.99 * state.square[i] + 0.01 * gradient[i] ** 2;
    values[i] -= (RATE * (state.mean[i] / (1 - 0.9 ** t))) / (Math.sqrt(state.square[i] / (1 - 0.99 ** t)) + EPSILON);
  }
}

// Trains an output layer on tokens that follow prefixes 0 to n - 1; yields {W2, b2} after each of STEPS up to `most`,
// and often null.
export function* descend(states, layer, ids, targets, most) {
  const size = layer.b2.length, width = layer.W2.length / size, total = ids.length;
  const n = ids.reduce((a, b) => Math.max(a, b), 0) + 1, row = (v) => error.subarray(v * n, (v + 1) * n);
  const columns = transposed(states.subarray(0, n * width), width);
  const counts = new Float64Array(n), error = new Float64Array(size * n);
  const made = { W2: layer.W2.slice(), b2: layer.b2.slice() };
  const zeros = (values) => ({ mean: new Float64Array(values.length), square: new Float64Array(values.length) });
  const [forW2, forb2] = [zeros(made.W2), zeros(made.b2)];
  for (const id of ids) counts[id] += 1;
  for (let t = 0; ; t++) {
    if (STEPS.includes(t)) yield { W2: made.W2.slice(), b2: made.b2.slice() };
    if (t === most) return;
    for (let first = 0; first < n; first += BLOCK) { // the gradient of the logits: [vocab_size, prefixes]
      const end = Math.min(n, first + BLOCK), rows = logRows(states.subarray(first * width, end * width), made);
      for (let r = first; r < end; r++) {
        const at = (r - first) * size;
        for (let v = 0; v < size; v++) error[v * n + r] = (counts[r] * Math.exp(rows[at + v])) / total;
      }
      yield null;
    }
    for (let i = 0; i < total; i++) error[targets[i] * n + ids[i]] -= 1 / total;
    const gradient = new Float64Array(size * width), some = Math.max(2, 2 * Math.floor(4000 / n));
    for (let v = 0; v < size; v += some) {
      const end = Math.min(size, v + some);
      product(error.subarray(v * n, end * n), columns, n, null, gradient.subarray(v * width, end * width));
      yield null;
    }
    const sums = Float64Array.from({ length: size }, (_, v) => row(v).reduce((a, b) => a + b, 0));
    adam(made.W2, gradient, forW2, t + 1);
    adam(made.b2, sums, forb2, t + 1);
  }
}

// Computes of a product, over `parts` of tokens: the sum of nll and the pull, its gradient, its second derivatives.
function sumsAt(powers, parts, size, found) {
  const [p, q] = powers, x = p - POWERS[0], y = q - POWERS[1], pull = PULL * (x * x + y * y);
  const e = new Float64Array(size);
  let value = pull - p * found[0] - q * found[1], g = 2 * PULL * x - found[0], h = 2 * PULL * y - found[1];
  let gg = 2 * PULL, gh = 0, hh = gg;
  for (const { rows: [A, B], counts } of parts) {
    counts.forEach((count, n) => {
      const first = n * size;
      let most = -Infinity, Z = 0, a = 0, b = 0, aa = 0, ab = 0, bb = 0;
      for (let v = 0; v < size; v++) most = Math.max(most, e[v] = p * A[first + v] + q * B[first + v]);
      for (let v = 0; v < size; v++) {
        const one = A[first + v], other = B[first + v], each = Math.exp(e[v] - most);
        Z += each;
        a += each * one;
        b += each * other;
        aa += each * one * one;
        ab += each * one * other;
        bb += each * other * other;
      }
      [a, b, aa, ab, bb] = [a, b, aa, ab, bb].map((sum) => sum / Z);
      value += count * (most + Math.log(Z));
      g += count * a;
      h += count * b;
      gg += count * (aa - a * a);
      gh += count * (ab - a * b);
      hh += count * (bb - b * b);
    });
  }
  return { powers, value, pull, g, h, gg, gh, hh };
}

// Fits the powers of n-grams and prior by Newton's method, as mm_jax/models/product.py does; returns them and the nll.
// `parts` are of each fold: the rows of both, log p [prefixes, vocab_size], and of each token its prefix and itself.
export function fitPowers(parts, size) {
  const found = [0, 0];
  let total = 0;
  const counted = parts.map(({ rows: given, at, targets }) => {
    const rows = given.map((row) => row.map((each) => Math.max(each, LEAST)));
    const counts = new Float64Array(rows[0].length / size);
    at.forEach((n, i) => {
      counts[n] += 1;
      rows.forEach((row, k) => { found[k] += row[n * size + targets[i]]; });
    });
    total += at.length;
    return { rows, counts };
  });
  let here = sumsAt(POWERS, counted, size, found), there;
  for (let step = 0; step < NEWTON; step++) {
    const { powers, g, h, gg, gh, hh } = here, det = gg * hh - gh * gh;
    const stays = (k, slope) => powers[k] <= LOWEST && slope >= 0;
    const free = [(hh * g - gh * h) / det, (gg * h - gh * g) / det];
    const way = stays(0, g) ? [0, h / hh] : stays(1, h) ? [g / gg, 0] : free;
    let halvings = 0;
    do {
      there = sumsAt(powers.map((power, k) => Math.max(power - way[k] / 2 ** halvings, LOWEST)), counted, size, found);
    } while (there.value > here.value && ++halvings < NEWTON);
    if (halvings === NEWTON) break;
    here = there;
    if (powers.every((power, k) => Math.abs(power - here.powers[k]) < 1e-6)) break;
  }
  return { powers: here.powers, nll: (here.value - here.pull) / total };
}

// Returns log p of each token by the product.
export function multiplied(powers, { rows: [A, B], at, targets }, size) {
  const sums = Float64Array.from(A, (a, i) => powers[0] * a + powers[1] * B[i]);
  const total = (_, n) => logSumExp(sums.subarray(n * size, (n + 1) * size));
  const totals = Float64Array.from({ length: A.length / size }, total);
  return Float64Array.from(at, (n, i) => sums[n * size + targets[i]] - totals[n]);
}
