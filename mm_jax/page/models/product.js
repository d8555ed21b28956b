// mm_jax/models/product.py: p(w | word so far) = 1/Z product_k p_k(w | word so far) ^ power_k

import { combination, logSoftmax } from "../engine/contract.js";

combination("Product", ({ powers }, rows) => {
  const sums = rows[0].map((_, w) => rows.reduce((sum, row, k) => sum + powers[k] * row[w], 0));
  if (sums.every((each) => each === -Infinity)) sums[0] = 0; // nothing is possible: the word ends
  return logSoftmax(sums);
});
