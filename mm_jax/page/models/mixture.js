// mm_jax/models/mixture.py: p(w | word so far) = sum_k weight_k p_k(w | word so far),  weights = softmax(scores)

import { combination, logSoftmax, logSumExp } from "../engine/contract.js";

combination("Mixture", ({ scores }, given) => {
  const weights = logSoftmax(scores);
  const rows = given.map((row, k) => logSoftmax(row).map((each) => each + weights[k]));
  return rows[0].map((_, w) => logSumExp(rows.map((row) => row[w])));
});
