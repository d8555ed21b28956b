// Look inside: pictures of a model. A mixture shows those of its members, but for a Widened one: its tokens are others.

import { MODELS, blockSize, functionsOf, logSoftmax, logits, start } from "../engine/contract.js";
import { $, count, decimals, el, grid, page, percent, say, shown, visible } from "./dom.js";

const membersOf = (params) => (params.own ? [] : Object.values(params).flat().filter((each) => MODELS[each?.kind]));
const parts = (params) => [params, ...membersOf(params).flatMap(parts)];
const within = (params, what) => parts(params).find((part) => functionsOf(part)[what]);

// Returns how many characters of context an n-gram model used before character i; null without such a model.
export function depthAt(tokens, i) {
  const part = within(page.params, "depth");
  if (!part) return null;
  const context = [...start(part), ...tokens.slice(0, i)];
  return functionsOf(part).depth(part, context.slice(i));
}

function figure(title, note, ...children) {
  return el("figure", {}, el("h3", {}, title), el("figcaption", {}, note), ...children);
}

// Draws the transition table of a model that sees one character.
function tableOf(part) {
  const labels = page.vocab.symbols.map(visible);
  const rows = labels.map((_, previous) => logSoftmax(logits(part, [previous])).map(Math.exp));
  const text = (i, j) => {
    const values = { before: labels[i], next: labels[j], p: percent(rows[i][j]) };
    return part.N ? say("cell_counts", { ...values, count: count(part.N[i * labels.length + j]) }) : say("cell", values);
  };
  const drawn = grid({ label: say("table"), rows: labels, columns: labels, share: (i, j) => Math.sqrt(rows[i][j]), text });
  return [figure(say("table"), say("table_note"), el("div", {}, ...drawn.parts)), drawn.draw];
}

// Projects the first n rows to their first two principal components, by power iteration on their inner products: where
// X @ X.T @ u = s u with |u| = 1, the rows' coordinates on that axis are sqrt(s) u.
export function flattened(C, n) {
  const d = C.shape[1], X = Float64Array.from(C.subarray(0, n * d));
  for (let k = 0; k < d; k++) {
    let sum = 0;
    for (let i = k; i < X.length; i += d) sum += X[i];
    for (let i = k; i < X.length; i += d) X[i] -= sum / n;
  }
  const rows = Array.from({ length: n }, (_, i) => X.subarray(i * d, (i + 1) * d));
  if (d <= 2) return rows.map((row) => [row[0], row[1] ?? 0]);
  const dot = (a, b) => {
    let sum = 0;
    for (let k = 0; k < a.length; k++) sum += a[k] * b[k];
    return sum;
  };
  const products = rows.map((row) => Float64Array.from(rows, (other) => dot(row, other)));
  const axes = [];
  for (let axis = 0; axis < 2; axis++) {
    let u = Float64Array.from(rows, (_, i) => Math.cos(i * (axis + 1) + 1)), size = 1;
    for (let step = 0; step < 100; step++) {
      const next = Float64Array.from(products, (row) => dot(row, u));
      for (const { u: other } of axes) {
        const along = dot(next, other);
        other.forEach((each, i) => { next[i] -= along * each; });
      }
      size = Math.sqrt(dot(next, next)) || 1;
      u = next.map((each) => each / size);
    }
    axes.push({ u, scale: Math.sqrt(size) });
  }
  return rows.map((_, i) => axes.map(({ u, scale }) => scale * u[i]));
}

function svg(tag, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

const WIDE = 640, HIGH = 480, APART = 36; // of the map; on a phone a letter takes 30 of 640
const LETTERS = 90; // more would not be told apart

// Moves points apart until no two letters overlap, or for some rounds; they stay inside the map.
function spread(points) {
  const inside = (value, size) => Math.max(APART / 2, Math.min(size - APART / 2, value));
  for (let round = 0, moved = true; moved && round < 100; round++) {
    moved = false;
    for (let i = 0; i < points.length; i++) {
      for (let j = 0; j < i; j++) {
        const [a, b] = [points[i], points[j]];
        const [x, y] = [a[0] - b[0] || 0.01 * (i - j), a[1] - b[1] || 0.01], far = Math.hypot(x, y);
        if (far >= APART) continue;
        const push = (APART + 0.5 - far) / 2 / far;
        points[i] = [inside(a[0] + push * x, WIDE), inside(a[1] + push * y, HIGH)];
        points[j] = [inside(b[0] - push * x, WIDE), inside(b[1] - push * y, HIGH)];
        moved = true;
      }
    }
  }
  return points;
}

function mapOf(part) {
  const symbols = page.vocab.symbols.slice(0, LETTERS), points = flattened(part.C, symbols.length);
  const scale = (k, size) => {
    const values = points.map((point) => point[k]), low = Math.min(...values), span = Math.max(...values) - low || 1;
    return values.map((each) => 30 + ((each - low) / span) * (size - 60));
  };
  const [x, y] = [scale(0, WIDE), scale(1, HIGH)];
  const labels = spread(x.map((each, i) => [each, y[i]])).map(([left, top], i) => (
    svg("text", { x: left.toFixed(1), y: top.toFixed(1) }, visible(symbols[i]))));
  const note = part.C.shape[1] > 2 ? say("map_note", { d: count(part.C.shape[1]) }) : say("map_note_2");
  const first = symbols.length < page.vocab.symbols.length ? ` ${say("map_first", { n: count(LETTERS) })}` : "";
  const title = say("map"), view = `0 0 ${WIDE} ${HIGH}`;
  return [figure(title, note + first, svg("svg", { viewBox: view, role: "img", "aria-label": title }, ...labels))];
}

// Draws the attention weights of a transformer for a word.
function attentionOf(part, tokens) {
  const weights = functionsOf(part).attention(part, tokens);
  const labels = [page.vocab.symbols[0], ...tokens.map(shown)];
  const choice = (name, many) => {
    const options = Array.from({ length: many }, (_, i) => el("option", { value: i }, i + 1));
    return el("select", {}, ...options);
  };
  const [layer, head] = [choice("layer", weights.length), choice("head", weights[0].length)];
  const share = (i, j) => (j > i ? 0 : weights[layer.value][head.value][i][j]);
  const text = (i, j) => say("attention_cell", { before: labels[i], next: labels[j], share: percent(share(i, j)) });
  const drawn = grid({ label: say("attention", { word: page.vocab.decode(tokens) }), rows: labels, columns: labels, share, text });
  layer.addEventListener("change", drawn.draw);
  head.addEventListener("change", drawn.draw);
  const choices = el("div", { class: "bar picks" });
  choices.append(el("label", { class: "inline" }, say("layer"), layer), el("label", { class: "inline" }, say("head"), head));
  const title = say("attention", { word: page.vocab.decode(tokens) });
  return [figure(title, say("attention_note"), choices, el("div", {}, ...drawn.parts)), drawn.draw];
}

// Draws the context length that an n-gram model used at each character.
function depthsOf(part, tokens) {
  const most = Math.max(1, blockSize(part));
  const bars = [...tokens, 0].map((token, i) => {
    const context = [...start(part), ...tokens.slice(0, i)].slice(i), depth = functionsOf(part).depth(part, context);
    const seen = context.slice(context.length - depth).map((each) => (each ? page.vocab.symbols[each] : "·")).join(page.vocab.units === "words" ? " " : "");
    const inside = [el("bdi", {}, shown(token)), el("i", { share: depth / most }), el("small", {}, `${depth} `, el("bdi", {}, seen))];
    return el("li", {}, el("div", { class: `row${token ? "" : " word-end"}` }, ...inside));
  });
  return [figure(say("depths", { word: page.vocab.decode(tokens) }), say("depths_note"), el("ul", { class: "rows" }, ...bars))];
}

// Draws the weights of a mixture, or the powers of a product, as bars.
function weightsOf({ members, scores, powers }) {
  const found = scores ? Array.from(logSoftmax(scores), Math.exp) : Array.from(powers);
  const most = scores ? 1 : Math.max(...found);
  const bars = found.map((each, k) => {
    const inside = [el("bdi", {}, (members[k].own ? members[k].member : members[k]).kind), el("i", { share: each / most }), el("small", {}, scores ? percent(each) : decimals(each))];
    return el("li", {}, el("div", { class: "row wide-name" }, ...inside));
  });
  return [figure(scores ? say("weights") : say("powers"), "", el("ul", { class: "rows" }, ...bars))];
}

const fixed = el("div", { id: "fixed" }), moving = el("div", { id: "moving" });

// Draws the pictures that do not depend on a word.
export function pictures() {
  const made = parts(page.params).flatMap((part) => [
    ...(part.scores || part.powers ? [weightsOf(part)] : []),
    ...(blockSize(part) === 1 ? [tableOf(part)] : []),
    ...(part.C ? [mapOf(part)] : []),
  ]);
  fixed.replaceChildren(...made.map(([each]) => each));
  $("pictures").replaceChildren(moving, fixed);
  for (const [, draw] of made) draw?.();
  if (!made.length && !within(page.params, "attention") && !within(page.params, "depth")) fixed.append(el("p", { class: "note" }, say("nothing")));
}

// Draws the pictures that depend on the word.
export function picturesOf(tokens) {
  const made = parts(page.params).flatMap((part) => [
    ...(functionsOf(part).attention ? [attentionOf(part, tokens)] : []),
    ...(functionsOf(part).depth ? [depthsOf(part, tokens)] : []),
  ]);
  moving.replaceChildren(...made.map(([each]) => each));
  for (const [, draw] of made) draw?.();
}
