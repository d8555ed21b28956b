// Look inside: pictures of a model. A mixture shows those of its members.

const parts = (params) => [params, ...Object.values(params).flat().filter((each) => MODELS[each?.kind]).flatMap(parts)];
const within = (params, what) => parts(params).find((part) => functionsOf(part)[what]);

// Returns how many characters of context an n-gram model used before character i; null without such a model.
function depthAt(tokens, i) {
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
  const labels = page.vocab.chars.map(visible);
  const rows = labels.map((_, previous) => logSoftmax(logits(part, [previous])).map(Math.exp));
  const text = (i, j) => {
    const values = { before: labels[i], next: labels[j], p: percent(rows[i][j]) };
    return part.N ? say("cell_counts", { ...values, count: count(part.N[i * labels.length + j]) }) : say("cell", values);
  };
  const drawn = grid({ label: say("table"), rows: labels, columns: labels, share: (i, j) => Math.sqrt(rows[i][j]), text });
  return [figure(say("table"), say("table_note"), el("div", {}, ...drawn.parts)), drawn.draw];
}

// Projects points to their first two principal components, by power iteration on the covariance.
function flattened(C) {
  const [n, d] = C.shape;
  const centred = Array.from({ length: n }, (_, i) => Array.from(C.subarray(i * d, (i + 1) * d)));
  for (let k = 0; k < d; k++) {
    const mean_ = centred.reduce((sum, row) => sum + row[k], 0) / n;
    for (const row of centred) row[k] -= mean_;
  }
  if (d <= 2) return centred.map((row) => [row[0], row[1] ?? 0]);
  const dot = (a, b) => a.reduce((sum, each, k) => sum + each * b[k], 0);
  const axes = [];
  for (let axis = 0; axis < 2; axis++) {
    let v = Array.from({ length: d }, (_, k) => Math.cos(k * (axis + 1) + 1));
    for (let step = 0; step < 200; step++) {
      const next = new Array(d).fill(0);
      for (const row of centred) row.forEach((each, k) => { next[k] += dot(row, v) * each; });
      for (const other of axes) {
        const along = dot(next, other);
        other.forEach((each, k) => { next[k] -= along * each; });
      }
      const size = Math.sqrt(dot(next, next)) || 1;
      v = next.map((each) => each / size);
    }
    axes.push(v);
  }
  return centred.map((row) => axes.map((axis) => dot(row, axis)));
}

function svg(tag, attributes, ...children) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

function mapOf(part) {
  const points = flattened(part.C).slice(0, page.vocab.chars.length);
  const [xs, ys] = [0, 1].map((k) => points.map((point) => point[k]));
  const scale = (values, size) => {
    const low = Math.min(...values), span = Math.max(...values) - low || 1;
    return values.map((each) => (30 + ((each - low) / span) * (size - 60)).toFixed(1));
  };
  const [x, y] = [scale(xs, 640), scale(ys, 480)];
  const labels = page.vocab.chars.map((char, token) => svg("text", { x: x[token], y: y[token] }, visible(char)));
  const note = part.C.shape[1] > 2 ? say("map_note", { d: part.C.shape[1] }) : say("map_note_2");
  const title = say("map");
  return [figure(title, note, svg("svg", { viewBox: "0 0 640 480", role: "img", "aria-label": title }, ...labels))];
}

// Draws the attention weights of a transformer for a word.
function attentionOf(part, tokens) {
  const weights = functionsOf(part).attention(part, tokens);
  const labels = [page.vocab.chars[0], ...tokens.map(shown)];
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
    const seen = context.slice(context.length - depth).map((each) => (each ? page.vocab.chars[each] : "·")).join("");
    const inside = [el("bdi", {}, shown(token)), el("i", { share: depth / most }), el("small", {}, `${depth} `, el("bdi", {}, seen))];
    return el("li", {}, el("div", { class: `row${token ? "" : " word-end"}` }, ...inside));
  });
  return [figure(say("depths", { word: page.vocab.decode(tokens) }), say("depths_note"), el("ul", { class: "rows" }, ...bars))];
}

// Draws the weights of a mixture as bars.
function weightsOf(part) {
  const bars = Array.from(logSoftmax(part.scores), Math.exp).map((weight, k) => {
    const inside = [el("bdi", {}, part.members[k].kind), el("i", { share: weight }), el("small", {}, percent(weight))];
    return el("li", {}, el("div", { class: "row wide-name" }, ...inside));
  });
  return [figure(say("weights"), "", el("ul", { class: "rows" }, ...bars))];
}

const fixed = el("div", { id: "fixed" }), moving = el("div", { id: "moving" });

// Draws the pictures that do not depend on a word.
function pictures() {
  const made = parts(page.params).flatMap((part) => [
    ...(part.scores ? [weightsOf(part)] : []),
    ...(blockSize(part) === 1 ? [tableOf(part)] : []),
    ...(part.C ? [mapOf(part)] : []),
  ]);
  fixed.append(...made.map(([each]) => each));
  $("pictures").append(moving, fixed);
  for (const [, draw] of made) draw?.();
  if (!made.length && !within(page.params, "attention") && !within(page.params, "depth")) fixed.append(el("p", { class: "note" }, say("nothing")));
}

// Draws the pictures that depend on the word.
function picturesOf(tokens) {
  const made = parts(page.params).flatMap((part) => [
    ...(functionsOf(part).attention ? [attentionOf(part, tokens)] : []),
    ...(functionsOf(part).depth ? [depthsOf(part, tokens)] : []),
  ]);
  moving.replaceChildren(...made.map(([each]) => each));
  for (const [, draw] of made) draw?.();
}
