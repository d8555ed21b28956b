// The contract of mm_jax/models/contract.py in JavaScript. A windowed model has blockSize and logits; a sequential one
// has start, advance and logits. Sums run in float64 and are rounded to float32 once.

export const MODELS = {};
export const model = (kind, functions) => { MODELS[kind] = functions; };
export const functionsOf = (params) => MODELS[params.kind];

export const blockSize = (params) => functionsOf(params).blockSize?.(params) ?? null;
export const maxLength = (params) => functionsOf(params).maxLength?.(params) ?? Infinity;

export function start(params) {
  const size = blockSize(params);
  return size === null ? functionsOf(params).start(params) : new Array(size).fill(0);
}

export function advance(params, state, token) {
  if (token === 0) return start(params);
  return blockSize(params) === null ? functionsOf(params).advance(params, state, token) : [...state, token].slice(1);
}

export const logits = (params, state) => functionsOf(params).logits(params, state);

// Builds a model from its structure and its arrays (mm_jax/page/pack.py): fields by name, and the name of the class.
export function unpack(spec, arrays, bytes, path = "") {
  if (spec === null) return array(arrays[path], bytes);
  const below = (name) => (path ? `${path}.${name}` : `${name}`);
  if (Array.isArray(spec)) return spec.map((each, i) => unpack(each, arrays, bytes, below(i)));
  const found = Object.entries(spec.fields ?? spec.dict).map(([name, each]) => [name, unpack(each, arrays, bytes, below(name))]);
  return { ...Object.fromEntries(found), ...spec.static, kind: spec.class?.split(":")[1] };
}

export const READERS = {
  f4: Float32Array, u1: Uint8Array, u2: Uint16Array, u4: Uint32Array, i1: Int8Array, i2: Int16Array, i4: Int32Array,
  f2: Uint16Array, b1: Uint8Array,
};

export function array({ dtype, shape, at }, bytes) {
  const count = shape.reduce((a, b) => a * b, 1);
  const end = at + count * READERS[dtype].BYTES_PER_ELEMENT;
  let values = new READERS[dtype](bytes.slice(at, end));
  if (dtype === "f2") values = Float32Array.from(values, fromHalf);
  values.shape = shape;
  return values;
}

// IEEE 754 half precision: 1 bit of sign, 5 of exponent, 10 of fraction.
export function fromHalf(bits) {
  const exponent = (bits >> 10) & 31, fraction = bits & 1023;
  const size = exponent === 31 ? (fraction ? NaN : Infinity)
    : exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24;
  return bits >> 15 ? -size : size;
}

export const rowOf = (table, i) => table.subarray(i * table.shape[1], (i + 1) * table.shape[1]);

export const sigmoid = (x) => 1 / (1 + Math.exp(-x));
export const gelu = (x) => x * sigmoid(1.5957691216057308 * (x + 0.044715 * x * x * x)); // 2 sqrt(2 / pi)

// x @ W + b, W [inputs, outputs] by rows: four rows at a time, which reads and writes the sums a quarter as often.
export function affine(x, W, b) {
  const width = W.shape[1], sums = b ? Float64Array.from(b) : new Float64Array(width);
  let i = 0;
  for (; i + 3 < x.length; i += 4) {
    const [x0, x1, x2, x3] = [x[i], x[i + 1], x[i + 2], x[i + 3]], first = i * width;
    for (let j = 0; j < width; j++) {
      const at = first + j;
      sums[j] += x0 * W[at] + x1 * W[at + width] + x2 * W[at + 2 * width] + x3 * W[at + 3 * width];
    }
  }
  for (; i < x.length; i++) for (let j = 0; j < width; j++) sums[j] += x[i] * W[i * width + j];
  return Float32Array.from(sums);
}

export function logSumExp(row) {
  const most = row.reduce((a, b) => Math.max(a, b), -Infinity);
  if (most === -Infinity) return most;
  let sum = 0;
  for (const each of row) sum += Math.exp(each - most);
  return most + Math.log(sum);
}

export function logSoftmax(row) {
  const total = logSumExp(row);
  return Float32Array.from(row, (each) => each - total);
}

// Registers a model of several models (mm_jax/models/combination.py): mix(params, the logits of each) gives its logits.
export const combination = (kind, mix) => model(kind, {
  blockSize({ members }) {
    const sizes = members.map(blockSize);
    return sizes.includes(null) ? null : Math.max(...sizes);
  },
  maxLength: ({ members }) => Math.min(...members.map(maxLength)),
  start: ({ members }) => members.map(start),
  advance: ({ members }, state, token) => members.map((member, k) => advance(member, state[k], token)),
  logits(params, state) {
    const { members } = params;
    const states = blockSize(params) === null ? state : members.map((each) => state.slice(state.length - blockSize(each)));
    return mix(params, members.map((member, k) => logits(member, states[k])));
  },
});
