// mm_jax/ngrams/: counts n-grams of every order, smooths them (Kneser and Ney), chooses the order on held-out words.
// p_m(w | c) = values_m[c, w] + backoff_m[c] * p_(m-1)(w | c without its oldest character)

import { logits } from "../engine/contract.js";
import { codesOf, rankOf } from "../models/ngram.js";

const GAIN = 0.003; // nats per character by which a higher order must be better

// Returns the distinct codes, ascending, and the rank of each code; all are below `size`.
function ranked(codes, size) {
  const ranks = new Int32Array(codes.length);
  let n = 0;
  if (size <= 8 * codes.length + 1e6) { // no sorting where the codes are dense
    const rank = new Int32Array(size), distinct = new Float64Array(codes.length);
    for (let i = 0; i < codes.length; i++) rank[codes[i]] = 1;
    for (let code = 0; code < size; code++) {
      if (!rank[code]) continue;
      distinct[n] = code;
      rank[code] = n++;
    }
    for (let i = 0; i < codes.length; i++) ranks[i] = rank[codes[i]];
    return [distinct.slice(0, n), ranks];
  }
  const sorted = codes.slice().sort();
  for (let i = 0; i < sorted.length; i++) if (!n || sorted[i] !== sorted[n - 1]) sorted[n++] = sorted[i];
  const distinct = sorted.slice(0, n);
  for (let i = 0; i < codes.length; i++) ranks[i] = rankOf(distinct, codes[i]);
  return [distinct, ranks];
}

function paired(ids, tokens, size) {
  const codes = new Float64Array(ids.length);
  for (let i = 0; i < ids.length; i++) codes[i] = ids[i] * size + tokens[i];
  return codes;
}

// Returns the token `back` places before each position, 0 where that lies before the word's start; `inside` is updated.
function olderOf(stream, back, inside) {
  const older = new Int32Array(inside.length);
  for (let i = 0; i < older.length; i++) {
    older[i] = inside[i] && i >= back - 1 ? stream[i - back + 1] : 0;
    inside[i] = older[i] ? 1 : 0;
  }
  return older;
}

// Yields the tally of each order, the lowest first; an order after the next is counted, which gives its `types`.
function* count(stream, size, order) {
  const targets = stream.subarray(1), inside = new Uint8Array(targets.length).fill(1);
  let codes = new Float64Array(1), ids = new Int32Array(targets.length), below = null, pairBelow = null;
  for (let m = 1; m <= order; m++) {
    if (m > 1) [codes, ids] = ranked(paired(ids, olderOf(stream, m - 1, inside), size), codes.length * size);
    const [pairs, pair] = ranked(paired(ids, targets, size), codes.length * size);
    if (below) {
      const seen = new Uint8Array(pairs.length);
      below.types = new Int32Array(below.counts.length);
      for (let i = 0; i < pair.length; i++) {
        if (!seen[pair[i]]) below.types[pairBelow[i]] += 1;
        seen[pair[i]] = 1;
      }
      yield below;
    }
    const first = new Int32Array(codes.length + 1), tokens = new Int32Array(pairs.length);
    for (let i = 0; i < pairs.length; i++) {
      const context = Math.floor(pairs[i] / size);
      tokens[i] = pairs[i] - context * size;
      first[context + 1] += 1;
    }
    for (let i = 0; i < codes.length; i++) first[i + 1] += first[i];
    below = { codes, first, tokens, counts: new Int32Array(pairs.length), types: null };
    for (let i = 0; i < pair.length; i++) below.counts[pair[i]] += 1;
    pairBelow = pair;
  }
  yield below;
}

// Returns [0, D1, D2, D3+] from how many n-grams occur once, twice, ...; one that is out of range is half its count.
function discounts(n) {
  const D = [0, 0.5, 1, 1.5], Y = n[1] ? n[1] / (n[1] + 2 * n[2]) : 0;
  for (let c = 1; c <= 3; c++) {
    const D_c = c - ((c + 1) * Y * n[c + 1]) / n[c];
    if (n[c] && n[c + 1] && Y && D_c >= 0 && D_c <= c) D[c] = D_c;
  }
  return D;
}

// Interpolated modified Kneser-Ney (Chen and Goodman 1998): returns the tally with its values and back-off weights.
function smoothed(tally, asTop) {
  const counts = asTop || !tally.types ? tally.counts : tally.types, n = [0, 0, 0, 0, 0];
  for (const c of counts) if (c < 5) n[c] += 1;
  const D = discounts(n), values = new Float64Array(counts.length), backoff = new Float64Array(tally.codes.length);
  for (let i = 0; i < backoff.length; i++) {
    let total = 0, removed = 0;
    for (let j = tally.first[i]; j < tally.first[i + 1]; j++) {
      total += counts[j];
      removed += D[Math.min(counts[j], 3)];
    }
    for (let j = tally.first[i]; j < tally.first[i + 1]; j++) {
      values[j] = (counts[j] - D[Math.min(counts[j], 3)]) / total;
    }
    backoff[i] = removed / total;
  }
  return { ...tally, values, backoff };
}

// Follows held-out tokens through the levels: `step(codes)` finds each context at the next level.
function walker(stream, size) {
  const targets = stream.subarray(1), ranks = new Int32Array(targets.length);
  const inside = new Uint8Array(targets.length).fill(1);
  let m = 0;
  const find = (codes) => {
    if (m++ === 0) return;
    const older = olderOf(stream, m - 1, inside);
    for (let i = 0; i < ranks.length; i++) if (ranks[i] >= 0) ranks[i] = rankOf(codes, ranks[i] * size + older[i]);
  };
  // Returns p of each target from that of the levels below.
  const mix = ({ first, tokens, values, backoff }, lower) => lower.map((p, i) => {
    const rank = ranks[i];
    if (rank < 0) return p;
    const at = rankOf(tokens.subarray(first[rank], first[rank + 1]), targets[i]);
    return (at < 0 ? 0 : values[first[rank] + at]) + backoff[rank] * p;
  });
  return { find, mix, uniform: new Float64Array(targets.length).fill(1 / size) };
}

// Returns p of each target of held-out words by the models of orders 1 to `most`.
function* ofOrders(stream, held, size, most) {
  const { find, mix, uniform } = walker(held, size);
  let lower = uniform;
  for (const tally of count(stream, size, most)) {
    find(tally.codes);
    yield mix(smoothed(tally, true), lower);
    lower = mix(smoothed(tally, false), lower);
  }
}

// Returns the order, the lowest within 0.003 nats of the best, and the loss of each that was tried. `folds` are pairs
// of token streams. Yields often.
export function* choose(folds, size, longest) {
  const positions = folds.reduce((sum, [, held]) => sum + held.length - 1, 0);
  for (let most = Math.min(6, longest); ; most = Math.min(most + 3, longest)) {
    const losses = new Array(most).fill(0);
    for (const [stream, held] of folds) {
      let m = 0;
      for (const p of ofOrders(stream, held, size, most)) {
        losses[m++] -= p.reduce((sum, each) => sum + Math.log(each), 0) / positions;
        yield;
      }
    }
    const best = losses.findIndex((loss) => loss <= Math.min(...losses) + GAIN) + 1;
    if (best < most || most === longest) return { order: best, losses };
  }
}

// Returns codes as int32: where they do not fit, ranks, then oldest tokens (mm_jax/ngrams/counting.py).
function halved(codes, size) {
  if (codes[codes.length - 1] < 2 ** 31) return Int32Array.from(codes);
  const halves = new Int32Array(2 * codes.length);
  halves.shape = [2, codes.length];
  halves.set(codes.map((code) => Math.floor(code / size)));
  halves.set(codes.map((code) => code % size), codes.length);
  return halves;
}

// Returns an NGram, its tables padded by the size of the alphabet, float32. Yields often.
export function* fit(stream, size, order) {
  const levels = [], padded = (Kind, values) => {
    const made = new Kind(values.length + size);
    made.set(values);
    return made;
  };
  for (const tally of count(stream, size, order)) {
    const { codes, first, tokens, values, backoff } = smoothed(tally, false);
    const pairs = { tokens: padded(Int32Array, tokens), values: padded(Float32Array, values) };
    levels.push({ kind: "Level", codes: halved(codes, size), first, ...pairs, backoff: Float32Array.from(backoff) });
    yield;
  }
  return { kind: "NGram", levels };
}

// Returns log p of each target of a token stream.
export function logProbs({ levels }, stream, size) {
  const { find, mix, uniform } = walker(stream, size);
  let p = uniform;
  for (const level of levels) {
    find(codesOf(level, size));
    p = mix(level, p);
  }
  return p.map(Math.log);
}

// Returns log p of every token after some prefixes of a trie: [prefixes, vocab_size] by rows. Yields often.
export function* rowsAfter(params, { parents, last }, nodes, size) {
  const rows = new Float32Array(nodes.length * size), context = new Int32Array(params.levels.length - 1);
  for (const [i, node] of nodes.entries()) {
    context.fill(0);
    for (let at = node, k = context.length; at && k; at = parents[at]) context[--k] = last[at];
    rows.set(logits(params, context), i * size);
    if (i % 256 === 255) yield;
  }
  return rows;
}
