// mm_jax/models/widened.py: a member's log p(next) over a larger alphabet, -Infinity for characters it does not know

import { advance, logSoftmax, logits, maxLength, model, start } from "../engine/contract.js";

model("Widened", {
  maxLength: ({ member }) => maxLength(member),
  start: ({ member }) => start(member),
  advance: ({ member, own }, state, token) => (own[token] ? advance(member, state, own[token]) : state),
  logits({ member, own }, state) {
    const row = logSoftmax(logits(member, state));
    return Float32Array.from(own, (token, w) => (w === 0 || token ? row[token] : -Infinity));
  },
});
