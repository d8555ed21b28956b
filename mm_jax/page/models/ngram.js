// mm_jax/models/ngram.py: p_m(w | c) = values_m[c, w] + backoff_m[c] * p_(m-1)(w | c without its oldest character);
// a context that was never seen at order m leaves p_(m-1) as it is.

import { model } from "../engine/contract.js";

// Returns the rank of a context's code among those of its order, or -1.
export function rankOf(codes, code) {
  let low = 0, high = codes.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (codes[middle] < code) low = middle + 1; else high = middle;
  }
  return codes[low] === code ? low : -1;
}

// Returns a level's codes; where they do not fit 32 bits, the level has ranks, then oldest tokens.
export function codesOf(level, size) {
  const { codes, backoff: { length } } = level;
  if (codes.length === length) return codes;
  return level.whole ??= Float64Array.from({ length }, (_, i) => codes[i] * size + codes[length + i]);
}

// Returns the ranks of the known suffixes of a context, the empty one first.
function ranks({ levels }, context, size) {
  const found = [0];
  for (let m = 1; m < levels.length; m++) {
    const rank = rankOf(codesOf(levels[m], size), found[m - 1] * size + context[context.length - m]);
    if (rank < 0) break;
    found.push(rank);
  }
  return found;
}

const alphabetSize = ({ levels: [{ tokens, first }] }) => tokens.length - first[first.length - 1]; // tokens are padded

model("NGram", {
  blockSize: ({ levels }) => levels.length - 1,
  logits(params, context) {
    const size = alphabetSize(params), p = new Float64Array(size).fill(1 / size), logs = new Float32Array(size);
    ranks(params, context, size).forEach((rank, m) => {
      const { first, tokens, values, backoff } = params.levels[m], weight = backoff[rank];
      for (let i = 0; i < size; i++) p[i] *= weight; // a loop, as a vocabulary may have thousands of symbols
      for (let i = first[rank]; i < first[rank + 1]; i++) p[tokens[i]] += values[i];
    });
    for (let i = 0; i < size; i++) logs[i] = Math.log(p[i]);
    return logs;
  },
  // Returns how many characters of the context were known, and used.
  depth: (params, context) => ranks(params, context, alphabetSize(params)).length - 1,
});
