// mm_jax/models/gru.py: x = C[token] + b1;  s = h @ W1 + [0, 0, bn];  r, z = sigmoid(x + s);
// n = tanh(x_n + r * s_n);  h = z * h + (1 - z) * n, 0 before a word's `.` is read;  logits = h @ W2 + b2

import { affine, model, rowOf, sigmoid } from "../engine/contract.js";

function gated({ C, W1, b1, bn }, h, token) {
  const size = h.length, c = rowOf(C, token), s = affine(h, W1);
  return h.map((before, k) => {
    const gate = (first) => sigmoid(c[first + k] + b1[first + k] + s[first + k]);
    const r = gate(0), z = gate(size);
    const n = Math.tanh(c[2 * size + k] + b1[2 * size + k] + r * (s[2 * size + k] + bn[k]));
    return n + z * (before - n);
  });
}

model("GRU", {
  start: (params) => gated(params, new Float32Array(params.W1.shape[0]), 0),
  advance: gated,
  logits: ({ W2, b2 }, h) => affine(h, W2, b2),
});
