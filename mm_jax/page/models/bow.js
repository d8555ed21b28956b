// mm_jax/models/bow.py: a = mean of C[token] over all tokens so far, the first `.` included;
// h = tanh([C[last], a] @ W1 + b1);  logits = h @ W2 + b2

import { affine, model, rowOf } from "../engine/contract.js";

model("BagOfWords", {
  start: ({ C }) => ({ sum: Float64Array.from(rowOf(C, 0)), size: 1, last: 0 }),
  advance: ({ C }, { sum, size }, token) => ({ sum: sum.map((each, k) => each + rowOf(C, token)[k]), size: size + 1, last: token }),
  logits({ C, W1, b1, W2, b2 }, { sum, size, last }) {
    return affine(affine([...rowOf(C, last), ...sum.map((each) => each / size)], W1, b1).map(Math.tanh), W2, b2);
  },
});
