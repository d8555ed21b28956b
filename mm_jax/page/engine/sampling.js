// mm_jax/sampling.py and drawing.py: the same seed gives the same words. Character t of word i in batch a is drawn with
// uniform(foldIn(foldIn(key, a), t), i), which does not depend on other words.

import { advance, blockSize, logSumExp, logits, maxLength, start } from "./contract.js";
import { isKnown } from "./known.js";
import { foldIn, keyOf, uniform } from "./random.js";

export const MAX_LENGTH = 200;
const BUDGET = 100000; // words drawn at most, as `mm-jax sample` does
const MEMORY = 8e6; // numbers kept of rows that were read already

const f32 = Math.fround;

// A Trouble names the field of the form.
export class Trouble extends Error {
  constructor(what, detail = {}) {
    super(what);
    this.detail = detail;
  }
}

// mm_jax/symbols.py: cuts a text into symbols; blanks at ends and doubled are passed over, as somebody is typing.
const segmenter = Intl.Segmenter && new Intl.Segmenter("en", { granularity: "grapheme" });
export const CUTS = {
  characters: (text) => Array.from(text),
  graphemes: (text) => (segmenter ? Array.from(segmenter.segment(text), ({ segment }) => segment) : Array.from(text)),
  words: (text) => text.split(" ").filter(Boolean),
};

// mm_jax/vocab.py: symbols and tokens. `text` has one character for each symbol.
export function vocabulary(text, symbols = Array.from(text), units = "characters") {
  const chars = Array.from(text), cut = CUTS[units];
  const ids = new Map(symbols.map((symbol, i) => [symbol, i]));
  const encode = (word, field) => cut(word.normalize("NFC")).map((char) => {
    const id = ids.get(char);
    if (!id) throw new Trouble(id === 0 ? "separator" : "unknown", { field, char });
    return id;
  });
  const decode = (tokens) => tokens.map((token) => symbols[token]).join(units === "words" ? " " : "");
  const coded = (tokens) => tokens.map((token) => chars[token]).join("");
  const isText = (word, length) => units !== "graphemes" || cut(word).length === length; // some join to one
  return { chars, symbols, units, cut, ids, encode, decode, coded, isText };
}

// Computes the cumulative distribution of the next token, in float32.
function cumulative(row, temperature, topK) {
  let kept = row;
  if (topK !== null && topK < row.length) {
    const order = Array.from(row.keys()).sort((a, b) => row[b] - row[a] || a - b);
    kept = new Float32Array(row.length).fill(-Infinity);
    for (const token of order.slice(0, topK)) kept[token] = row[token];
  }
  const most = kept.reduce((a, b) => Math.max(a, b), -Infinity);
  const sums = Float32Array.from(kept, (each) => Math.exp(f32(f32(each - most) / temperature)));
  const total = f32(sums.reduce((a, b) => a + b, 0));
  let sum = 0;
  for (let i = 0; i < sums.length; i++) sums[i] = sum = f32(sum + f32(sums[i] / total));
  return sums;
}

// Returns the first token whose cumulative probability exceeds the random number, scaled by the last entry.
function invert(sums, number) {
  const target = f32(f32(number) * sums[sums.length - 1]);
  let low = 0, high = sums.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sums[middle] <= target) low = middle + 1; else high = middle;
  }
  return low;
}

// Reads words token by token; caches states by window or by prefix.
function reader(params, temperature, topK) {
  const memory = new Map();
  const windowed = blockSize(params) !== null;
  let room = MEMORY;
  const at = (state, read) => {
    const key = windowed ? state.join() : read;
    let node = memory.get(key);
    if (!node) {
      const row = logits(params, state);
      node = { state, read, row, total: logSumExp(row), sums: cumulative(row, temperature, topK) };
      if ((room -= 3 * row.length + 300) > 0) memory.set(key, node);
    }
    return node;
  };
  return {
    root: at(start(params), ""),
    follow: (node, token) => at(advance(params, node.state, token), windowed ? "" : `${node.read},${token}`),
  };
}

const surprise = (node, token) => node.total - node.row[token];

// Converts the options of the form for the engine: tokens, a function that accepts words, sizes.
export const caseOf = ([c = ""]) => (c !== c.toLowerCase() ? "upper" : c !== c.toUpperCase() ? "lower" : "");

function wanted(options, page) {
  const { params, vocab } = page;
  const longest = options.maxLength ?? Infinity;
  const prefix = vocab.encode(options.prefix, "prefix");
  const ending = vocab.coded(vocab.encode(options.suffix, "suffix"));
  const inside = vocab.coded(vocab.encode(options.contains, "contains"));
  // One character more than the longest word, so that a word that was cut there is too long and rejected.
  const limit = Math.min(longest === Infinity ? MAX_LENGTH : longest + 1, maxLength(params));
  if (prefix.length > limit) throw new Trouble("tooLong", { field: "prefix", limit });
  const seen = new Set();
  const accept = (word, tokens) => {
    const length = tokens.length, coded = vocab.coded(tokens);
    let fits = options.minLength <= length && length <= longest && vocab.isText(word, length);
    fits &&= !options.firstCase || caseOf(word) === options.firstCase;
    fits = fits && coded.endsWith(ending) && coded.includes(inside);
    fits = fits && !(options.new && isKnown(page.known, word)) && !(options.distinct && seen.has(word));
    if (options.distinct) seen.add(word);
    return fits;
  };
  return { prefix, limit, accept };
}

// Yields {words, tried} repeatedly while it works; words are [text, nats, length].
export function* search(page, options) {
  const { prefix, limit, accept } = wanted(options, page);
  const greedy = options.temperature < 1e-6;
  const { root, follow } = reader(page.params, greedy ? 1 : f32(Math.max(options.temperature, 1e-30)), greedy ? 1 : options.topK);
  const words = [];
  let tried = 0, node = root, before = 0;
  for (const token of prefix) {
    before += surprise(node, token);
    node = follow(node, token);
  }
  const first = node;
  const draw = (keys, base, i) => {
    const tokens = prefix.slice();
    let node = first, nats = before;
    for (let t = 0; tokens.length < limit; t++) {
      const token = invert(node.sums, uniform(keys[t] ??= foldIn(base, t), i));
      if (token === 0) break;
      nats += surprise(node, token);
      tokens.push(token);
      node = follow(node, token);
    }
    return [page.vocab.decode(tokens), nats + surprise(node, 0), tokens];
  };
  for (let attempt = 0; ; attempt++) {
    const missing = options.n - words.length, left = BUDGET - tried;
    if (missing <= 0 || left <= 0) break;
    const guess = tried ? Math.floor((missing * (tried + 1)) / (words.length + 1)) + 1 : missing;
    const batch = Math.min(guess, left, page.batch);
    const keys = [], base = foldIn(keyOf(options.seed), attempt);
    for (let i = 0; i < batch && words.length < options.n; i++) {
      const [word, nats, tokens] = draw(keys, base, i);
      if (accept(word, tokens)) words.push([word, nats, tokens.length]);
      yield { words, tried: tried + i + 1 };
    }
    tried += batch;
  }
  yield { words, tried };
}
