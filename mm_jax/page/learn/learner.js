// mm_jax/learning/: learns a list, first its n-grams, then their mixture with the prior; tells what it found as it goes.

{
let prior = null;

// Passes on what a generator yields, a share of its own way, as a share of the whole way.
function* staged(stage, from, to, generator) {
  for (;;) {
    const { value, done } = generator.next();
    if (done) return value;
    yield { stage, share: from + (to - from) * (value ?? 0) };
  }
}

// Returns the mean and its standard error by word (mm_jax/evaluation.py) from log p of every token of words.
function lossOf(logProbs, stream) {
  const words = wordSums(logProbs, stream), tokens = logProbs.length, n = words.length;
  const nll = words.reduce((sum, [nats]) => sum + nats, 0) / tokens;
  const squares = words.reduce((sum, [nats, length]) => sum + (nats - nll * length) ** 2, 0);
  return { nll, stderr: n > 1 ? Math.sqrt((n / (n - 1)) * squares) / tokens : null };
}

// Returns [nats, tokens] of each word of a stream, its end included.
function wordSums(logProbs, stream) {
  const words = [];
  let nats = 0, length = 0;
  logProbs.forEach((each, i) => {
    nats -= each;
    length += 1;
    if (stream[i + 1] === 0) {
      words.push([nats, length]);
      nats = length = 0;
    }
  });
  return words;
}

// Yields messages: progress, `read`, and `model` twice.
function* learning(job) {
  const { words, ...found } = yield* staged("reading", 0, 0.05, LEARNER.read(job, new Set(prior.headings)));
  yield { read: { words: words.length, ...found } };
  const parts = LEARNER.split(words), [train, dev, test] = parts;
  const vocab = vocabulary(LEARNER.alphabetOf(words)), size = vocab.chars.length;
  const stream = (some) => LEARNER.tokensOf(some, vocab);
  const longest = 1 + found.longest;
  let order = 3, orders = null;
  if (dev.length) {
    const folds = LEARNER.foldsOf(parts).map((fold) => fold.map(stream));
    ({ order, losses: orders } = yield* staged("counting", 0.05, 0.2, LEARNER.ngrams.choose(folds, size, longest)));
  }
  const ngram = yield* staged("counting", 0.2, 0.25, LEARNER.ngrams.fit(stream(train), size, order));
  const about = { order, orders, members: [{ kind: "NGram", weight: 1 }], steps: null, prior: "not yet", heldOut: null, losses: null };
  Object.assign(about, { train: train.length, dev: dev.length, test: test.length });
  const message = (params, logProbs, more) => {
    const means = wordSums(logProbs, stream(words)).map(([nats, length]) => nats / length);
    const [model, weights] = LEARNER.toPage(params, vocab, words, means);
    return { model, weights, about: { ...about, ...more } };
  };
  yield { ...message(ngram, LEARNER.ngrams.logProbs(ngram, stream(words), size), {}), last: true };
}

// Learns a list; calls tell(message) until done, or until stopped() is true.
async function learn(job, tell, stopped) {
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
    if (!(error instanceof Trouble)) throw error;
    tell({ trouble: { what: error.message, ...error.detail } });
  }
}

Object.assign(LEARNER, { start: (given) => { prior = given; }, learn });

if (typeof document === "undefined") {
  let current;
  addEventListener("message", ({ data }) => {
    if (data.prior) LEARNER.start(data.prior);
    if (!("learn" in data)) return;
    current = data.id;
    const tell = (message) => postMessage({ id: data.id, ...message }, message.weights ? [message.weights] : []);
    if (data.learn) learn(data.learn, tell, () => current !== data.id);
  });
}
}
