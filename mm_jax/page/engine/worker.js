// Samples without freezing the page: in a worker made from this script, or in slices where workers are not allowed.

import { unpack } from "./contract.js";
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
  return { ...data, known, params: unpack(data.model, data.arrays, weights), vocab: vocabulary(data.vocab) };
}

// Calls report({words, tried, done}) with the words since the last call, until done or until stopped() is true.
export async function make(page, options, report, stopped) {
  let sent = 0, since = performance.now(), last = { words: [], tried: 0 };
  const tell = (done) => {
    report({ words: last.words.slice(sent), tried: last.tried, done });
    sent = last.words.length;
  };
  try {
    for (last of search(page, options)) {
      if (performance.now() - since < SLICE) continue;
      tell(false);
      await new Promise((go) => setTimeout(go));
      if (stopped()) return;
      since = performance.now();
    }
    tell(true);
  } catch (error) {
    if (!(error instanceof Trouble)) throw error;
    report({ trouble: { what: error.message, ...error.detail } });
  }
}

if (typeof document === "undefined") {
  let page, current;
  onmessage = ({ data }) => {
    if (data.data) page = opened(data.data, data.weights);
    else {
      current = data.id;
      if (data.options) make(page, data.options, (found) => postMessage({ id: data.id, ...found }), () => current !== data.id);
    }
  };
}
