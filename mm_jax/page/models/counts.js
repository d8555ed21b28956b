// mm_jax/models/counts.py: P(next | previous) = (N[previous, next] + smoothing) / its sum over next

import { model, rowOf } from "../engine/contract.js";

model("Counts", {
  blockSize: () => 1,
  logits({ N, smoothing }, [previous]) {
    const row = Float32Array.from(rowOf(N, previous), (n) => n + smoothing[0]);
    return row.some((n) => n > 0) ? row.map(Math.log) : row.fill(0); // nothing counted: uniform
  },
});
