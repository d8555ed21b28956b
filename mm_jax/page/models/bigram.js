// mm_jax/models/bigram.py: logits = W[previous]

import { model, rowOf } from "../engine/contract.js";

model("Bigram", {
  blockSize: () => 1,
  logits: ({ W }, [previous]) => rowOf(W, previous),
});
