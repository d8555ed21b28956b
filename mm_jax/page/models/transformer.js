// mm_jax/models/transformer.py: x = C[token] + P[position]; in each block q, k, v = norm1(x) @ Wqkv + bqkv,
// a = softmax(q . k / sqrt(head)) . v of each head, x += a @ Wo + bo, x += gelu(norm2(x) @ W1 + b1) @ W2 + b2;
// logits = norm(x) @ Wu + bu;  norm(x) = gain * (x - mean) / sqrt(variance + 1e-5) + shift

import { affine, gelu, logSoftmax, model, rowOf } from "../engine/contract.js";

function norm(x, gain, shift) {
  const average = (values) => values.reduce((a, b) => a + b, 0) / values.length;
  const mean_ = average(x), scale = 1 / Math.sqrt(average(Float64Array.from(x, (each) => (each - mean_) ** 2)) + 1e-5);
  return x.map((each, k) => gain[k] * (each - mean_) * scale + shift[k]);
}

// Computes the output of one head over the positions so far, and its attention weights.
function attend(q, keys, values, first, size) {
  const scores = keys.map((key) => {
    let sum = 0;
    for (let k = first; k < first + size; k++) sum += q[k] * key[k];
    return sum / Math.sqrt(size);
  });
  const weights_ = Array.from(logSoftmax(scores), Math.exp), found = new Float64Array(size);
  values.forEach((value, t) => { for (let k = 0; k < size; k++) found[k] += weights_[t] * value[first + k]; });
  return [found, weights_];
}

function readPosition(params, { caches, position }, token) {
  const width = params.C.shape[1], size = width / params.num_heads, place = rowOf(params.P, position);
  let x = rowOf(params.C, token).map((each, k) => each + place[k]);
  const looked = [];
  const next = params.blocks.map((block, i) => {
    const qkv = affine(norm(x, block.gain1, block.shift1), block.Wqkv, block.bqkv);
    const keys = [...caches[i].keys, qkv.subarray(width, 2 * width)], values = [...caches[i].values, qkv.subarray(2 * width)];
    const heads = Array.from({ length: params.num_heads }, (_, head) => attend(qkv, keys, values, head * size, size));
    const a = affine(heads.flatMap(([found]) => Array.from(found)), block.Wo, block.bo);
    x = x.map((each, k) => each + a[k]);
    const inner = affine(norm(x, block.gain2, block.shift2), block.W1, block.b1).map(gelu), m = affine(inner, block.W2, block.b2);
    x = x.map((each, k) => each + m[k]);
    looked.push(heads.map(([, weights_]) => weights_));
    return { keys, values };
  });
  return { x, caches: next, position: position + 1, looked };
}

const beforeAll = (params) => ({ caches: params.blocks.map(() => ({ keys: [], values: [] })), position: 0 });

model("Transformer", {
  maxLength: ({ P }) => P.shape[0] - 1,
  start: (params) => readPosition(params, beforeAll(params), 0),
  advance: readPosition,
  logits: ({ gain, shift, Wu, bu }, { x }) => affine(norm(x, gain, shift), Wu, bu),
  // Returns the attention weights by layer, head, position.
  attention(params, tokens) {
    let state = beforeAll(params);
    const positions = [0, ...tokens].map((token) => (state = readPosition(params, state, token)).looked);
    return positions[0].map((heads, layer) => heads.map((_, head) => positions.map((looked) => looked[layer][head])));
  },
});
