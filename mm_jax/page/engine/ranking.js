// mm_jax/ranking.py: how many words are likelier than one, counted where they are few, else estimated from drawn words.

import { advance, logSoftmax, logits, maxLength, start } from "./contract.js";
import { MAX_LENGTH, search } from "./sampling.js";

const DRAWN = 4000, FEW = 100, LARGE = 4096; // words, few of very many symbols; Python draws more, and quicker
const COUNTED = 1000; // words are counted where no more than these may be likelier
const PREFIXES = 20000; // of that count
const EQUAL = 1e-4; // nats: probabilities that differ by less are equal
const DEVIATIONS = 1.96; // of a 95% interval

// The log p of every token before each character of a word, its end included.
export function rowsOf(params, tokens) {
  let state = start(params);
  return [...tokens, 0].map((token) => {
    const row = logSoftmax(logits(params, state));
    if (token) state = advance(params, state, token);
    return row;
  });
}

export const natsOf = (rows, tokens) => rows.map((row, i) => -row[tokens[i] ?? 0]);

// Yields {rank, low, high, exact} of a word, 1 for the likeliest, and null while it works. `page` keeps what was drawn.
export function* ranking(page, text, n = page.vocab.symbols.length > LARGE ? FEW : DRAWN) {
  const { params, vocab } = page, tokens = vocab.encode(text, "word");
  const longest = Math.min(maxLength(params), Math.max(MAX_LENGTH, tokens.length));
  const nats = natsOf(rowsOf(params, tokens), tokens).reduce((a, b) => a + b, 0);
  if (!tokens.length || nats === Infinity) return; // what cannot be made has no rank
  page.drawn ??= yield* drawn(page, n);
  const found = estimated(nats, page.drawn);
  const likelier = found.high <= COUNTED ? yield* likelierThan(nats - EQUAL, params, longest, found.high) : null;
  yield likelier === null ? found : { rank: likelier + 1, low: likelier + 1, high: likelier + 1, exact: true };
}

// Draws n words as `mm_jax.rank` does with key 0; returns minus log p of each, and minus log of how likely it was drawn.
function* drawn({ params, ...page }, n) {
  const options = { n, seed: 0, temperature: 1, topK: null, prefix: "", suffix: "", contains: "", minLength: 0, maxLength: null };
  let words = [];
  for ({ words } of search({ ...page, params }, options)) yield null;
  return words.map(([text, nats, length]) => {
    if (!length) return [Infinity, Infinity]; // the empty word does not count
    if (length < Math.min(MAX_LENGTH, maxLength(params))) return [nats, nats];
    // A word that was cut was drawn whether it would have ended there or not.
    return [nats, nats + rowsOf(params, page.vocab.encode(text)).at(-1)[0]];
  });
}

// Estimates a rank from draws: all in units of 1 / p, the most that a draw can count.
function estimated(nats, draws) {
  const counts = draws.map(([other, drawing]) => (other < nats - EQUAL ? Math.exp(Math.min(drawing - nats, 0)) : 0));
  const [likelier, low] = mean(counts, -DEVIATIONS);
  // One more draw, of the largest value, stands for what was not drawn.
  const high = Math.min(mean([...counts, 1], DEVIATIONS)[1], 1);
  const [rank, ...ends] = [likelier, low, high].map((share) => 1 + Math.round(share * Math.exp(nats)));
  return { rank, low: ends[0], high: ends[1], exact: false };
}

// Returns the mean, and the mean moved by some of its standard errors on a scale of logarithms.
function mean(counts, deviations) {
  const n = counts.length, middle = counts.reduce((a, b) => a + b, 0) / n;
  const error = Math.sqrt(counts.reduce((sum, each) => sum + (each - middle) ** 2, 0) / n / n);
  return [middle, middle ? middle * Math.exp((deviations * error) / middle) : 0];
}

// Counts the words that cost less than `nats`: all prefixes that do are extended. Returns null if there are too many.
function* likelierThan(nats, params, longest, most) {
  const open = [[null, 0, 0, 0]]; // a state, the token that follows it, what both cost, and the length
  let found = 0;
  for (let left = PREFIXES; open.length; left--) {
    if (!left || found > most) return null;
    const [before, token, cost, length] = open.pop();
    const state = length ? advance(params, before, token) : start(params);
    const row = logSoftmax(logits(params, state));
    found += length && cost - row[0] < nats ? 1 : 0;
    if (length < longest) row.forEach((each, next) => { if (next && cost - each < nats) open.push([state, next, cost - each, length + 1]); });
    yield null;
  }
  return found;
}
