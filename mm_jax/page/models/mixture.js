// mm_jax/models/mixture.py: p(w | word so far) = sum_k weight_k p_k(w | word so far),  weights = softmax(scores)

import { advance, blockSize, logSoftmax, logSumExp, logits, maxLength, model, start } from "../engine/contract.js";

model("Mixture", {
  blockSize({ members }) {
    const sizes = members.map(blockSize);
    return sizes.includes(null) ? null : Math.max(...sizes);
  },
  maxLength: ({ members }) => Math.min(...members.map(maxLength)),
  start: ({ members }) => members.map(start),
  advance: ({ members }, state, token) => members.map((member, k) => advance(member, state[k], token)),
  logits(params, state) {
    const { members, scores } = params, weights = logSoftmax(scores);
    const states = blockSize(params) === null ? state : members.map((each) => state.slice(state.length - blockSize(each)));
    const rows = members.map((member, k) => logSoftmax(logits(member, states[k])).map((each) => each + weights[k]));
    return rows[0].map((_, w) => logSumExp(rows.map((row) => row[w])));
  },
});
