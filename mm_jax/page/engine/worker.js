// Samples without freezing the page: in a worker made from this script, or in slices where workers are not allowed.

import { unpack } from "./contract.js";
import { ranking } from "./ranking.js";
import { Trouble, search, vocabulary } from "./sampling.js";

export const SLICE = 30; // ms

export function decodeBytes(text) {
  const chars = atob(text), bytes = new Uint8Array(chars.length);
  for (let i = 0; i < chars.length; i++) bytes[i] = chars.charCodeAt(i);
  return bytes;
}

// Decodes the data of the page.
export function opened(data, weights) {
  const known = data.known && { ...data.known, bits: decodeBytes(data.known.bits) };
  return { ...data, known, params: unpack(data.model, data.arrays, weights), vocab: vocabulary(data.vocab, data.symbols, data.units) };
}

// Runs through a generator, with a pause after each slice of time; returns its last value, or null if stopped() is true.
export async function through(steps, pause, stopped) {
  let since = performance.now(), last = null;
  for (last of steps) {
    if (performance.now() - since < SLICE) continue;
    pause(last);
    await new Promise((go) => setTimeout(go));
    if (stopped()) return null;
    since = performance.now();
  }
  return last;
}

// Calls report({words, tried, done}) with the words since the last call, until done or until stopped() is true.
export async function make(page, options, report, stopped) {
  let sent = 0;
  const tell = ({ words, tried }, done) => {
    report({ words: words.slice(sent), tried, done });
    sent = words.length;
  };
  try {
    const last = await through(search(page, options), (found) => tell(found, false), stopped);
    if (last) tell(last, true);
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    report({ trouble: { what: error.message, ...error.detail } });
  }
}

if (typeof document === "undefined") {
  let page, current, ranked, making;
  onmessage = async ({ data: { id, data, weights, options, word } }) => {
    if (data) page = opened(data, weights);
    else if (word === undefined) {
      current = id;
      if (options) making = make(page, options, (found) => postMessage({ id, ...found }), () => current !== id);
    } else {
      ranked = id;
      await making; // the words come first
      const rank = await through(ranking(page, word), () => {}, () => ranked !== id);
      if (rank && ranked === id) postMessage({ id, rank });
    }
  };
}
