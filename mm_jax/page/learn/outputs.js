// mm_jax/prior/heads.py: trains the output layer of the prior on a list, and mixes it with the list's n-grams.
// logits = h @ W2 + b2, with h computed once; Adam on the mean nll of all tokens, each step of all of them

import { logSumExp } from "../engine/contract.js";
import { product, transposed } from "./prior.js";

export const STEPS = [0, 1, 2, 4, 8, 16];
const RATE = 0.008, EPSILON = 1e-6;
export const FEWEST = 4;
export const LEAST_WEIGHT = 0.02;
const FOLDS = 4, MANY = 64, PSEUDO = 2;
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

// Returns log p of each target that follows a prefix. Yields often.
export function* layerLogProbs(states, layer, ids, targets) {
  const size = layer.b2.length, width = layer.W2.length / size;
  const order = Array.from(ids.keys()).sort((a, b) => ids[a] - ids[b]);
  const found = new Float64Array(ids.length);
  for (let first = 0, i = 0; i < order.length; first += BLOCK) {
    const some = states.subarray(first * width, (first + BLOCK) * width), rows = logRows(some, layer);
    for (; i < order.length && ids[order[i]] < first + BLOCK; i++) {
      found[order[i]] = rows[(ids[order[i]] - first) * size + targets[order[i]]];
    }
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

// Fits the weights of a mixture of two by expectation maximisation; returns them and the mixture's nll.
export function weigh(a, b) {
  const [p, q] = [a.map(Math.exp), b.map(Math.exp)];
  let weight = 0.5;
  for (let step = 0; step < 200; step++) {
    const share = p.reduce((sum, each, i) => sum + (weight * each) / (weight * each + (1 - weight) * q[i]), 0);
    weight = (share + PSEUDO) / (p.length + 2 * PSEUDO);
  }
  const weights = [weight, 1 - weight], total = mixed(weights, a, b).reduce((sum, each) => sum + each, 0);
  return { weights, nll: -total / p.length };
}

export const mixed = ([weight, other], a, b) => a.map((each, i) => Math.log(weight * Math.exp(each) + other * Math.exp(b[i])));
