// mm_jax/page/pack.py, page/__init__.py and checkpoint.py: packs a model as the data of a page, and as a file.

import { READERS, array, blockSize } from "../engine/contract.js";
import { hash } from "../engine/known.js";
import { caseOf, search } from "../engine/sampling.js";

const LARGEST_BATCH = 2 ** 15, BATCH_BYTES = 2 ** 24; // mm_jax/drawing.py
const BITS_A_WORD = 12, HASHES = 8; // mm_jax/page/bloom.py
const FIELDS = {
  "product:Product": ["members", "powers"], "gru:GRU": ["C", "W1", "b1", "bn", "W2", "b2"], "ngram:NGram": ["levels"],
  "ngram:Level": ["codes", "first", "tokens", "values", "backoff"],
};

// Returns the structure of a model (mm_jax/structure.py), and adds its arrays to `arrays` by path.
function specOf(part, arrays, path = "") {
  const below = (name) => (path ? `${path}.${name}` : `${name}`);
  if (Array.isArray(part)) return part.map((each, i) => specOf(each, arrays, below(i)));
  if (!part.kind) return (arrays[path] = part, null);
  const name = Object.keys(FIELDS).find((each) => each.endsWith(`:${part.kind}`));
  const fields = FIELDS[name].map((field) => [field, specOf(part[field], arrays, below(field))]);
  return { class: `mm_jax.models.${name}`, fields: Object.fromEntries(fields), static: {} };
}

const isFloat = (values) => values instanceof Float32Array;

// Returns the smallest dtype that holds all values; "f2" for floats that carry their half-precision bits.
function dtypeOf(values) {
  if (isFloat(values)) return values.half ? "f2" : "f4";
  const most = values.reduce((a, b) => Math.max(a, b), 0);
  return most < 256 ? "u1" : most < 65536 ? "u2" : "i4";
}

// Packs the arrays of a model: [dtype, shape and offset by path, one block of bytes].
function packed(arrays) {
  const made = {}, blocks = [];
  let end = 0;
  for (const [name, values] of Object.entries(arrays)) {
    const dtype = dtypeOf(values), block = values.half ?? new READERS[dtype](values);
    end += -end & (block.BYTES_PER_ELEMENT - 1);
    made[name] = { dtype, shape: values.shape ?? [values.length], at: end };
    blocks.push([end, block]);
    end += block.byteLength;
  }
  const bytes = new Uint8Array(end);
  for (const [at, block] of blocks) bytes.set(new Uint8Array(block.buffer, block.byteOffset, block.byteLength), at);
  return [made, bytes.buffer];
}

// Returns the bytes of a model's state: a window of int32, or a vector of float32 (mm_jax/drawing.py).
const stateSize = (params) => blockSize(params) ?? params.bn.length;
const stateBytes = ({ members, ...one }) => (members ?? [one]).reduce((sum, each) => sum + 4 * stateSize(each), 0);

function encodeBytes(bytes) {
  let text = "";
  for (let i = 0; i < bytes.length; i += 32768) text += String.fromCharCode(...bytes.subarray(i, i + 32768));
  return btoa(text);
}

// mm_jax/page/bloom.py: sets 8 of 12 bits a word.
function filterOf(words) {
  const bits = new Uint8Array(Math.ceil((Math.max(1, words.length) * BITS_A_WORD) / 8)), size = 8 * bits.length;
  for (const word of words) {
    const first = hash(word, 0), step = hash(word, 1);
    for (let i = 0; i < HASHES; i++) {
      const place = (first + i * step) % size;
      bits[place >> 3] |= 1 << (place & 7);
    }
  }
  return { bits: encodeBytes(bits), hashes: HASHES };
}

// mm_jax/conditions.py: the temperature, the lengths and the case of a list.
function startOf(words, { cut }) {
  const lengths = words.map((word) => cut(word).length), cases = new Set(words.map(caseOf));
  const temperature = Math.round(10 * (0.3 + 0.12 * Math.log10(words.length))) / 10;
  return {
    temperature: Math.min(0.8, Math.max(0.5, temperature)), least: lengths.reduce((a, b) => Math.min(a, b)),
    longest: lengths.reduce((a, b) => Math.max(a, b)), first_case: cases.size === 1 ? [...cases][0] : "",
  };
}

// Returns the percentiles 0 to 100 of the words' nats per character.
function quantilesOf(means) {
  const sorted = Float64Array.from(means).sort(), n = sorted.length;
  const at = (q) => sorted[Math.max(0, Math.ceil((q * n) / 100) - 1)];
  return Array.from({ length: 101 }, (_, q) => Math.round(1e4 * Math.min(at(q), 1e6)) / 1e4);
}

// Returns [data, weights] of a page: what `opened` takes. `means` are the nats per character of the words.
export function toPage(params, vocab, words, means) {
  const arrays = {}, spec = specOf(params, arrays), [made, weights] = packed(arrays), size = vocab.symbols.length;
  const data = {
    vocab: vocab.chars.join(""), model: spec, arrays: made, kind: params.kind,
    batch: Math.max(1, Math.min(LARGEST_BATCH, Math.floor(BATCH_BYTES / (stateBytes(params) + 16 * size)))),
    numbers: Object.values(arrays).reduce((sum, each) => sum + each.length, 0),
    quantiles: quantilesOf(means), known: filterOf(words), start: startOf(words, vocab),
  };
  if (vocab.units !== "characters") Object.assign(data, { symbols: vocab.symbols, units: vocab.units });
  return [{ ...data, example: exampleOf(params, vocab, data) }, weights];
}

// Draws a word of 4 to 10 characters to begin with; "" if 100 draws hold none.
function exampleOf(params, vocab, { batch, start: { temperature, first_case: firstCase } }) {
  const any = { topK: null, prefix: "", suffix: "", contains: "", minLength: 4, maxLength: 10 };
  let found;
  for (found of search({ params, vocab, known: null, batch }, { ...any, n: 1, seed: 0, temperature, firstCase })) {
    if (found.tried >= 100) break;
  }
  return found.words[0]?.[0] ?? "";
}

// SHA-256 (FIPS 180-4), since a page from a disk may have no crypto.subtle.
function sha256(bytes) {
  const primes = [], fraction = (x) => ((x - Math.floor(x)) * 2 ** 32) | 0;
  for (let n = 2; primes.length < 64; n++) if (primes.every((p) => n % p)) primes.push(n);
  const K = primes.map((p) => fraction(Math.cbrt(p))), state = primes.slice(0, 8).map((p) => fraction(Math.sqrt(p)));
  const padded = new Uint8Array((bytes.length + 72) & ~63), view = new DataView(padded.buffer), w = new Int32Array(64);
  padded.set(bytes);
  padded[bytes.length] = 128;
  view.setUint32(padded.length - 8, Math.floor(bytes.length / 2 ** 29));
  view.setUint32(padded.length - 4, bytes.length << 3);
  const turn = (x, n) => (x >>> n) | (x << (32 - n));
  for (let at = 0; at < padded.length; at += 64) {
    for (let i = 0; i < 16; i++) w[i] = view.getInt32(at + 4 * i);
    for (let i = 16; i < 64; i++) {
      const a = w[i - 15], b = w[i - 2];
      w[i] = w[i - 16] + w[i - 7] + (turn(a, 7) ^ turn(a, 18) ^ (a >>> 3)) + (turn(b, 17) ^ turn(b, 19) ^ (b >>> 10));
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let i = 0; i < 64; i++) {
      const one = (h + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + K[i] + w[i]) | 0;
      const two = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      [h, g, f, e, d, c, b, a] = [g, f, e, (d + one) | 0, c, b, a, (one + two) | 0];
    }
    [a, b, c, d, e, f, g, h].forEach((each, i) => { state[i] = (state[i] + each) | 0; });
  }
  return state.map((each) => (each >>> 0).toString(16).padStart(8, "0")).join("");
}

// Writes JSON as json.dumps(value, sort_keys=True) does.
function python(value) {
  if (Array.isArray(value)) return `[${value.map(python).join(", ")}]`;
  if (value && typeof value === "object") {
    return `{${Object.keys(value).sort().map((key) => `${python(key)}: ${python(value[key])}`).join(", ")}}`;
  }
  return JSON.stringify(value).replace(/[^\0-~]/g, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

// Returns the safetensors file of a model, which mm_jax.load reads: all arrays as float32 and int32.
export function modelFile(data, weights) {
  const found = Object.keys(data.arrays).sort().map((name) => {
    const values = array(data.arrays[name], weights);
    return [name, isFloat(values) ? values : Int32Array.from(values), data.arrays[name].shape];
  });
  const { vocab, symbols, units } = data;
  const about = { format: symbols ? "4" : "2", kind: "model", model: python(data.model), vocab };
  if (symbols) about.symbols = JSON.stringify({ symbols, units });
  Object.assign(about, { package: "mm_jax, in a page", mark: python(data.start) }); // `mm-jax sample` reads the mark
  const shape = ([name, values, sizes]) => [name, [isFloat(values) ? "float32" : "int32", sizes]];
  const shapes = Object.fromEntries(found.map(shape));
  const block = (values) => new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const joined = (parts) => {
    const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
    parts.reduce((at, part) => (whole.set(part, at), at + part.length), 0);
    return whole;
  };
  const bytes = found.map(([, values]) => block(values)), encode = (text) => new TextEncoder().encode(text);
  const header = { __metadata__: { ...about, sha256: sha256(joined([encode(python([shapes, about])), ...bytes])) } };
  let end = 0;
  for (const [name, values, sizes] of found) {
    const dtype = isFloat(values) ? "F32" : "I32";
    header[name] = { dtype, shape: sizes, data_offsets: [end, end += values.byteLength] };
  }
  const text = JSON.stringify(header), size = new Uint8Array(8);
  const head = encode(text + " ".repeat(-encode(text).length & 7));
  new DataView(size.buffer).setUint32(0, head.length, true);
  return joined([size, head, ...bytes]);
}
