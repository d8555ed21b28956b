// mm_jax/models/mlp.py: x = C[context];  h = tanh(x @ W1 + b1);  logits = h @ W2 + b2

import { affine, model, rowOf } from "../engine/contract.js";

model("MLP", {
  blockSize: ({ C, W1 }) => W1.shape[0] / C.shape[1],
  logits({ C, W1, b1, W2, b2 }, context) {
    const x = context.flatMap((token) => Array.from(rowOf(C, token)));
    return affine(affine(x, W1, b1).map(Math.tanh), W2, b2);
  },
});
