// Type a word: the nats of each character, and the likeliest characters in its place.

import { maxLength } from "../engine/contract.js";
import { isKnown } from "../engine/known.js";
import { natsOf, ranking, rowsOf } from "../engine/ranking.js";
import { Trouble } from "../engine/sampling.js";
import { through } from "../engine/worker.js";
import { $, count, data, decimals, el, page, percent, say, shown, visible } from "./dom.js";
import { depthAt, picturesOf } from "./look.js";
import { worker } from "./workers.js";

const BARS = 12; // at most, and no more than hold
const MOST = 0.98; // of the probability
const HOT = 8; // nats, at which a tile is as hot as it gets
export let typedWord = null; // its tokens, and what each costs
let place = 0, everything = false;
let asked = 0; // how many ranks

// Returns the distribution before each character of a word, its end included; throws a Trouble for unknown characters.
function readWord(text) {
  const tokens = page.vocab.encode(text, "word"), limit = maxLength(page.params);
  if (tokens.length > limit) throw new Trouble("tooLong", { limit });
  const rows = rowsOf(page.params, tokens), nats = natsOf(rows, tokens);
  const ranks = rows.map((row, i) => {
    const target = tokens[i] ?? 0;
    return 1 + row.reduce((above, each, token) => above + (each > row[target] || (each === row[target] && token < target)), 0);
  });
  return { tokens, rows, nats, ranks };
}

export function isReadable(text) {
  try {
    return Boolean(readWord(text));
  } catch {
    return false;
  }
}

export function inspect(text) {
  $("word").value = text;
  typed();
  $("type").scrollIntoView();
  $("word").focus({ preventScroll: true });
}

export function typed() {
  const text = $("word").value;
  $("unread").textContent = "";
  $("word").setAttribute("aria-invalid", "false");
  try {
    typedWord = readWord(text);
  } catch (trouble) {
    if (!(trouble instanceof Trouble)) throw trouble;
    const { char, limit } = trouble.detail;
    $("unread").textContent = say(trouble.message, { char: char && visible(char), limit });
    $("word").setAttribute("aria-invalid", "true");
    return;
  }
  place = typedWord.tokens.length;
  everything = false;
  $("tiles").replaceChildren(...typedWord.nats.map(tile));
  // A word is shown in the direction of its script.
  $("tiles").dir = /^\P{L}*[\p{Script=Hebrew}\p{Script=Arabic}\p{Script=Syriac}\p{Script=Thaana}\p{Script=Nko}]/u.test(text) ? "rtl" : "ltr";
  summarize(text);
  expected();
  picturesOf(typedWord.tokens);
}

function tile(nats, i) {
  const token = typedWord.tokens[i] ?? 0, p = Math.exp(-nats);
  const values = { char: shown(token), nats: decimals(nats), p: percent(p), rank: typedWord.ranks[i] };
  const depth = depthAt(typedWord.tokens, i);
  const label = say("tile", values) + (depth === null ? "" : `; ${say("depth_long", { depth })}`);
  const made = el("button", {
    type: "button", "aria-label": label, title: label, "aria-pressed": i === place, share: nats / HOT,
    class: token ? "" : "word-end",
    onclick: () => {
      place = i;
      everything = false;
      [...$("tiles").children].forEach((each, j) => each.setAttribute("aria-pressed", j === i));
      expected();
    },
  });
  made.append(el("bdi", {}, values.char), el("small", {}, values.nats), el("small", {}, values.p));
  if (depth !== null) made.append(el("small", {}, say("depth", { depth })));
  return made;
}

function summarize(text) {
  const total = typedWord.nats.reduce((a, b) => a + b, 0), each = total / typedWord.nats.length;
  const parts = [el("b", {}, decimals(total)), ` ${say("nats")} ${say("total")}, `, el("b", {}, decimals(each)), ` ${say("mean")}`];
  if (data.quantiles) {
    const below = data.quantiles.filter((each_) => each_ < each).length;
    parts.push("; ", say("percentile", { share: `${Math.max(0, 100 - below)}%` }));
  }
  const worst = typedWord.nats.indexOf(Math.max(...typedWord.nats));
  parts.push("; ", say("oddest", { char: shown(typedWord.tokens[worst] ?? 0), place: worst + 1 }));
  if (page.known) parts.push("; ", say(isKnown(page.known, page.vocab.decode(typedWord.tokens)) ? "known_word" : "new_word"));
  const rank = el("span", { id: "rank" });
  $("summary").replaceChildren(...(typedWord.tokens.length ? [...parts, rank, "."] : []));
  rankOf(text);
}

// Asks for the rank of a word among all words, which the page shows when it comes.
async function rankOf(word) {
  const id = asked += 1;
  if (worker) return worker.postMessage({ id, word });
  const rank = await through(ranking(page, word), () => {}, () => id !== asked);
  if (rank) ranked({ id, rank });
}

export function ranked({ id, rank: { rank, low, high, exact } }) {
  if (id !== asked || !$("rank")) return;
  const rounded = (n) => (n < 1e15 ? count(Number(n.toPrecision(2))) : n.toExponential(1));
  const text = exact ? say("rank_exact", { rank: count(rank) })
    : high > 2 * low ? say("rank_between", { low: rounded(low), high: rounded(high) })
      : say("rank_about", { rank: rounded(rank), share: `${count(100 * (Math.sqrt(high / low) - 1))}%` });
  $("rank").textContent = `; ${text}`;
}

function expected() {
  const row = typedWord.rows[place], before = typedWord.tokens.slice(0, place);
  const order = [...row.keys()].sort((a, b) => row[b] - row[a] || a - b);
  const most = Math.exp(row[order[0]]);
  let held = 0;
  const enough = 1 + order.findIndex((token) => (held += Math.exp(row[token])) >= MOST);
  const kept = everything ? order : order.slice(0, Math.min(BARS, enough || BARS));
  const bars = kept.map((token) => {
    const p = Math.exp(row[token]), values = { char: shown(token), p: percent(p) };
    const here = place < typedWord.tokens.length && token === typedWord.tokens[place];
    const inside = [el("bdi", {}, values.char), el("i", { share: p / most }), el("small", {}, values.p)];
    const looks = `row${here ? " taken" : ""}${token ? "" : " word-end"}`;
    if (!token) return el("li", {}, el("div", { class: looks }, ...inside));
    const button = el("button", { type: "button", class: looks, "aria-label": say("add", values) }, ...inside);
    button.addEventListener("click", () => {
      $("word").value = page.vocab.decode([...before, token]);
      typed();
      $("word").dispatchEvent(new Event("change"));
      $("expected").querySelector("button")?.focus({ preventScroll: true });
    });
    return el("li", {}, button);
  });
  const title = place ? say("after", { text: page.vocab.decode(before) }) : say("after_start");
  const list_ = el("ul", { class: "rows" }, ...bars);
  const rest = el("button", { type: "button", onclick: () => { everything = true; expected(); } });
  rest.append(say("show_all", { n: count(order.length) }));
  $("expected").replaceChildren(el("h3", {}, el("bdi", {}, title)), list_, ...(kept.length < order.length ? [rest] : []));
}
