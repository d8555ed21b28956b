// mm_jax/models/fresh.py: p'(c | u) = p(c | u) * factor(uc) / factor(u), with a factor for each prefix u of the list

import { advance, logSoftmax, logits, maxLength, model, start } from "../engine/contract.js";

// Returns the number of the prefix that is one token longer; the last number stands for all prefixes outside the list.
function longer({ first, tokens, ends }, prefix, token) {
  const place = tokens.subarray(first[prefix], first[prefix + 1]).indexOf(token);
  return place < 0 ? ends.length - 1 : first[prefix] + place + 1;
}

model("Fresh", {
  maxLength: ({ member }) => maxLength(member),
  start: ({ member }) => ({ inner: start(member), prefix: 0 }),
  advance: (params, { inner, prefix }, token) => ({
    inner: advance(params.member, inner, token), prefix: longer(params, prefix, token),
  }),
  logits({ member, ends, first, tokens, factors }, { inner, prefix }) {
    const row = logSoftmax(logits(member, inner)), corrected = row.slice();
    for (let i = first[prefix]; i < first[prefix + 1]; i++) corrected[tokens[i]] += factors[i];
    corrected[0] += ends[prefix];
    return logSoftmax(corrected.some((each) => each > -Infinity) ? corrected : row);
  },
});
