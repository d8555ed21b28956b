// mm_jax/learning/trainer.py, `as_page`: learns a list, first its n-grams, then their product with the prior.

import { Trouble } from "../engine/sampling.js";
import { SLICE } from "../engine/worker.js";
import { choose, fit, logProbs, rowsAfter } from "./ngrams.js";
import {
  FEWEST, LARGEST, LEAST_POWER, STEPS, descend, fitPowers, layerFolds, layerRows, multiplied, prefixesOf, trainable,
} from "./outputs.js";
import { toPage } from "./packing.js";
import { parsed, restrict, statesOf, transposed, trieOf } from "./prior.js";
import { read } from "./reading.js";
import { CHOICE_WORDS, foldsOf, isShort, split, tokensOf, vocabularyOf } from "./words.js";

let given = null, prior = null; // what `prepare` was given, and the prior in it

// Passes on what a generator yields, a share of its own way or nothing, as a share of the whole way.
function* part(from, to, generator) {
  for (;;) {
    const { value, done } = generator.next();
    if (done) return value;
    yield from + (to - from) * (value ?? 0);
  }
}

function* staged(stage, from, to, generator) {
  for (;;) {
    const { value, done } = generator.next();
    if (done) return value;
    yield { stage, share: from + (to - from) * (value ?? 0) };
  }
}

// Returns [nats, tokens] of each word of a stream, its end included, from log p of every token.
function wordSums(logProbs, stream) {
  const words = [];
  let nats = 0, length = 0;
  logProbs.forEach((each, i) => {
    nats -= each;
    length += 1;
    if (stream[i + 1]) return;
    words.push([nats, length]);
    nats = length = 0;
  });
  return words;
}

// mm_jax/evaluation.py: the mean per token, and its standard error by word (a ratio estimator).
function lossOf(words) {
  const n = words.length, tokens = words.reduce((sum, [, length]) => sum + length, 0);
  const nll = words.reduce((sum, [nats]) => sum + nats, 0) / tokens;
  const squares = words.reduce((sum, [nats, length]) => sum + (nats - nll * length) ** 2, 0);
  return { nll, stderr: n > 1 ? Math.sqrt((n / (n - 1)) * squares) / tokens : null };
}

// Returns what is fixed of a list. `all` are its words by part; `folds` choose the steps and the powers.
function listOf(words) {
  const parts = split(words), vocab = vocabularyOf(words), short = isShort(parts);
  const [train, dev, test] = parts;
  const folds = short ? layerFolds(train) : [[train, dev.slice(0, CHOICE_WORDS)]];
  const stream = (some) => tokensOf(some, vocab), enough = train.length >= FEWEST;
  const held = short ? folds.flatMap(([, rest]) => rest) : test;
  const longest = words.reduce((most, word) => Math.max(most, vocab.cut(word).length), 0);
  const fixed = { words, longest, all: parts.flat(), parts, vocab, size: vocab.symbols.length, stream, short };
  return { ...fixed, folds: enough ? folds : [], held };
}

// Chooses the order and counts: the model, that of each fold, log p of the words held out in `folds`, and of all words.
function* counted({ all, longest, parts, size, stream, short, folds }) {
  const held = [], models = [];
  let order = 3, losses = null;
  if (parts[1].length) {
    const pairs = foldsOf(parts).map((fold) => fold.map(stream));
    ({ order, losses } = yield* choose(pairs, size, 1 + longest));
  }
  const params = yield* fit(stream(parts[0]), size, order);
  for (const [train, rest] of folds) {
    const model = short ? yield* fit(stream(train), size, order) : params;
    models.push(model);
    held.push(logProbs(model, stream(rest), size));
  }
  return { order, orders: losses, params, models, held: joined(held), all: logProbs(params, stream(all), size) };
}

const joined = (parts) => Float64Array.from(parts.flatMap((part) => Array.from(part)));

// Trains the output layer: returns the GRU, its layer after each number of steps up to `most`, what n-grams and each
// layer expect after the prefixes of the words `held`, and a function that returns the same of `rest` by one layer.
function* trained({ vocab, size, stream }, ngram, train, held, rest, most) {
  const some = trainable(train, vocab), all = stream([...some, ...held, ...rest]);
  const ends = [some, [...some, ...held]].map((each) => stream(each).length - 1);
  const gru = restrict(prior, vocab, stream(some)), trie = trieOf(all, size), layers = [], found = [];
  const states = yield* part(0, 0.4, statesOf(gru, trie));
  const [ofHeld, ofRest] = [ends, [ends[1], trie.ids.length]].map(([from, to]) => (
    prefixesOf(trie.ids.subarray(from, to), all.subarray(from + 1, to + 1))));
  const byNgrams = yield* part(0.4, 0.4, rowsAfter(ngram, trie, ofHeld.nodes, size));
  for (const layer of descend(states, gru, trie.ids.subarray(0, ends[0]), all.subarray(1, ends[0] + 1), most)) {
    const share = 0.4 + 0.6 * (STEPS[Math.max(0, layers.length - 1)] / Math.max(1, most));
    yield share;
    if (!layer) continue;
    layers.push(layer);
    const rows = [byNgrams, yield* part(share, share, layerRows(states, layer, ofHeld.nodes))];
    found.push({ ...ofHeld, rows });
  }
  return { gru, layers, found, *ofRest(layer) {
    const { nodes } = ofRest;
    return { ...ofRest, rows: [yield* rowsAfter(ngram, trie, nodes, size), yield* layerRows(states, layer, nodes)] };
  } };
}

// Multiplies the n-grams with the prior: the words held out in `folds` give the number of steps and the powers.
function* both(list, ngram) {
  const { short, folds, parts, all, size } = list, done = [], fitted = [];
  const ways = folds.length + short, most = STEPS[STEPS.length - 1];
  for (const [i, [train, held]] of folds.entries()) {
    const run = trained(list, ngram.models[i], train, held, short ? [] : all, most);
    done.push(yield* part(i / ways, (i + 1) / ways, run));
  }
  const held = (s) => done.map(({ found }) => found[s]);
  for (const s of STEPS.keys()) {
    fitted.push(fitPowers(held(s), size));
    yield folds.length / ways;
  }
  const alone = -ngram.held.reduce((sum, each) => sum + each, 0) / ngram.held.length;
  const chosen = mostThatKeep(fitted.map(({ nll }) => nll), alone);
  const again = trained(list, ngram.params, parts[0], [], all, STEPS[chosen]);
  const last = short ? yield* part(folds.length / ways, 1, again) : done[0];
  const helps = fitted[chosen].powers[1] >= LEAST_POWER && fitted[chosen].nll < alone;
  const powers = helps ? fitted[chosen].powers : [1, 0];
  const members = [ngram.params, gruOf(last.gru, last.layers[chosen])];
  const params = helps ? { kind: "Product", members, powers: Float32Array.from(powers) } : ngram.params;
  const own = yield* part(1, 1, last.ofRest(last.layers[chosen]));
  const ofHeld = joined(held(chosen).map((each) => multiplied(powers, each, size)));
  return { params, powers, steps: STEPS[chosen], held: ofHeld, all: multiplied(powers, own, size) };
}

// mm_jax/prior/adapting.py: the most steps whose loss keeps nine tenths of the best gain over the n-grams: words
// are then more like those of the list.
function mostThatKeep(losses, ngram) {
  const best = Math.min(...losses), allowed = best + 0.1 * Math.max(0, ngram - best);
  return losses.length - 1 - [...losses].reverse().findIndex((loss) => loss <= allowed);
}

// Returns a GRU with a trained output layer, as the engine takes it.
function gruOf(gru, { W2, b2 }) {
  const width = gru.bn.length, size = b2.length, columns = transposed(W2, width);
  const shaped = (values, shape) => Object.assign(Float32Array.from(values), { shape });
  const own = { C: shaped(gru.C, [size, 3 * width]), W2: shaped(columns, [width, size]), b2: Float32Array.from(b2) };
  return { kind: "GRU", ...gru, ...own };
}

// Returns why the prior has no part, or "".
function without({ all, folds, stream, size }) {
  if (!folds.length) return "few words";
  return (stream(all).length - 1) * size > LARGEST ? "many words" : "";
}

// Yields messages: progress, `read`, and `model` twice.
function* learning(job) {
  const { words, ...found } = yield* staged("reading", 0, 0.05, read(job, new Set(given.headings)));
  yield { read: { words: words.length, ...found } };
  const list = listOf(words), { stream, parts, held, short, all, vocab, size } = list;
  const ngram = yield* staged("counting", 0.05, 0.25, counted(list));
  const [train, dev, test] = parts.map((each) => each.length);
  const heldOut = held.length ? { words: held.length, how: short ? "folds" : "test" } : null;
  // A short list is judged by the words of its folds, a longer one by those of test, the last of all.
  const ofTest = (model) => wordSums(model.all, stream(all)).slice(-test);
  const loss = (model) => lossOf(short ? wordSums(model.held, stream(held)) : ofTest(model));
  const losses = heldOut && { uniform: Math.log(size), ngram: loss(ngram), product: null };
  const facts = { order: ngram.order, orders: ngram.orders, heldOut, train, dev, test };
  const message = (model, about, last) => {
    const means = wordSums(model.all, stream(all)).map(([nats, length]) => nats / length);
    const [data, weights] = toPage(model.params, vocab, all, means);
    return { model: data, weights, about: { ...facts, ...about }, last };
  };
  const alone = { members: [{ kind: "NGram", power: 1 }], steps: null, losses }, why = without(list);
  yield message(ngram, { ...alone, prior: why || "not yet" }, Boolean(why));
  if (why) return;
  const made = yield* staged("prior", 0.25, 0.95, both(list, ngram));
  yield { stage: "mixing", share: 0.95 };
  const members = ["NGram", "GRU"].map((kind, k) => ({ kind, power: made.powers[k] })).filter(({ power }) => power);
  const judged = { ...losses, product: loss(made) }, part_ = made.powers[1] ? "used" : "no weight";
  yield message(made, { members, steps: made.steps, losses: judged, prior: part_ }, true);
}

// Learns a list; calls tell(message) until done, or until stopped() is true.
export async function learnList(job, tell, stopped) {
  let since = performance.now(), progress = null;
  try {
    for (const message of learning(job)) {
      if (message.stage) progress = message;
      else tell(message);
      if (performance.now() - since < SLICE) continue;
      if (progress) tell(progress);
      progress = null;
      await new Promise((go) => setTimeout(go));
      if (stopped()) return;
      since = performance.now();
    }
  } catch (error) {
    const known = error instanceof Trouble;
    tell({ trouble: known ? { what: error.message, ...error.detail } : { what: "failed", error: error.message } });
  }
}

export function prepare(what) {
  given = what;
  prior = parsed(what);
}


if (typeof document === "undefined") {
  let current;
  onmessage = ({ data }) => {
    if (data.prior) return prepare(data.prior);
    current = data.id;
    const tell = (message) => postMessage({ id: data.id, ...message }, message.weights ? [message.weights] : []);
    if (data.learn) learnList(data.learn, tell, () => current !== data.id);
  };
}
