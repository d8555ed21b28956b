// mm_jax/models/rnn.py: h = tanh(C[token] + h @ W1 + b1), 0 before a word's `.` is read;  logits = h @ W2 + b2

import { affine, model, rowOf } from "../engine/contract.js";

function elman({ C, W1, b1 }, h, token) {
  const x = rowOf(C, token);
  return affine(h, W1, b1).map((each, k) => Math.tanh(each + x[k]));
}

model("RNN", {
  start: (params) => elman(params, new Float32Array(params.W1.shape[0]), 0),
  advance: elman,
  logits: ({ W2, b2 }, h) => affine(h, W2, b2),
});
