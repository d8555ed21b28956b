// The card: what the model is, in figures, and what else its maker says of it.

import { MODELS } from "../engine/contract.js";
import { count, data, page, percent, say } from "./dom.js";

// Describes a model: its class and the shapes of its arrays, those of the models inside it too.
function described(part) {
  const entries = Object.entries(part).filter(([name]) => name !== "kind").flatMap(([name, each]) => {
    if (each.shape) return `${name} ${each.shape.join(" × ") || 1}`;
    if (each.kind in MODELS) return described(each);
    if (!Array.isArray(each)) return `${name} ${each}`;
    return each[0].kind in MODELS ? each.map(described) : `${each.length} ${name}`;
  });
  return `${part.kind} (${entries.join(", ")})`;
}

function filterInWords({ bits, hashes }) {
  let set = 0;
  for (const byte of bits) for (let rest = byte; rest; rest &= rest - 1) set += 1;
  return say("card_filter_text", { size: count(bits.length), share: percent((set / (8 * bits.length)) ** hashes) });
}

export const card = () => [
  [say("card_model"), described(page.params)],
  [say("card_numbers"), `${count(data.numbers)}${data.half ? `, ${say("half")}` : ""}`],
  [say("card_characters"), count(page.vocab.symbols.length - 1)],
  [say("card_licence"), say("card_licence_text")],
  ...(page.known ? [[say("card_filter"), filterInWords(page.known)]] : []),
  ...data.card,
];
