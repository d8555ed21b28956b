// Small helpers, and the texts. Nothing here writes HTML, so text of a model cannot become HTML.

export const $ = (id) => document.getElementById(id);
export const TEXTS = JSON.parse($("texts").textContent);
const MORE_TEXTS = JSON.parse($("learner-texts")?.textContent ?? "{}"); // of a page that learns
for (const [language, more] of Object.entries(MORE_TEXTS)) Object.assign(TEXTS[language], more);
export const LANG = navigator.languages.map((each) => each.slice(0, 2).toLowerCase()).find((each) => each in TEXTS) ?? "en";
document.documentElement.lang = LANG;
document.documentElement.dir = LANG === "ar" ? "rtl" : "ltr";
export let data, weights, page; // what the page shows, the same as it came and opened

export function setShown(shown, bytes, opened) {
  [data, weights, page] = [shown, bytes, opened];
}

export const say = (key, values = {}) => TEXTS[LANG][key].replace(/\{(\w+)\}/g, (_, name) => values[name]);
const FORMATS = [0, 1, 2].map((digits) => (
  new Intl.NumberFormat(`${LANG}-u-nu-latn`, { minimumFractionDigits: digits, maximumFractionDigits: digits })));
export const count = (n) => FORMATS[0].format(n);
export const decimals = (x, digits = 2) => (Number.isFinite(x) ? FORMATS[digits].format(x) : "∞");

for (const each of document.querySelectorAll("[data-text]")) each.prepend(say(each.dataset.text));
for (const each of document.querySelectorAll("[data-label]")) each.setAttribute("aria-label", say(each.dataset.label));
for (const each of document.querySelectorAll("[data-hint]")) each.placeholder = say(each.dataset.hint);

export function percent(p) {
  if (p === 0) return say("never");
  return p < 0.0001 ? `<${decimals(0.01)}%` : `${decimals(100 * p, p < 0.01 ? 2 : 1)}%`;
}

export function el(tag, attributes = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) made.addEventListener(name.slice(2), value);
    else if (name === "share") made.style.setProperty("--share", Math.max(0, Math.min(1, value)).toFixed(4));
    else if (value !== false) made.setAttribute(name, value);
  }
  made.append(...children);
  return made;
}

// Makes a symbol visible: a combining mark on a circle, an invisible character as its code point.
export function visible(char) {
  if (char === " ") return "␣";
  if (/^\p{M}/u.test(char)) return `◌${char}`;
  return /^[\p{C}\p{Z}]$/u.test(char) ? `U+${char.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}` : char;
}

export const shown = (token) => (token === 0 ? say("end") : visible(page.vocab.symbols[token]));

// Makes a figure of shaded cells, read by pointer or arrow keys: labels of rows and columns, share(i, j) from 0 to 1.
export function grid({ label, rows, columns, share, text }) {
  const canvas = el("canvas", { tabindex: 0, role: "img", "aria-label": label });
  const readout = el("p", { class: "readout", "aria-live": "polite" });
  let chosen = null, cell = 0, edge = 0;
  const draw = () => {
    const width = canvas.parentElement?.clientWidth;
    if (!width) return;
    cell = Math.max(3, Math.min(36, Math.floor(width / (columns.length + 2))));
    edge = cell >= 9 ? Math.max(16, cell) : 0;
    const [w, h] = [edge + cell * columns.length, edge + cell * rows.length];
    const ratio = devicePixelRatio || 1;
    [canvas.width, canvas.height] = [w * ratio, h * ratio];
    [canvas.style.width, canvas.style.height] = [`${w}px`, `${h}px`];
    const style = getComputedStyle(document.documentElement);
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    pen.font = `${Math.min(16, cell)}px ${style.getPropertyValue("--serif")}`;
    pen.textAlign = "center";
    pen.textBaseline = "middle";
    pen.fillStyle = style.getPropertyValue("--soft");
    if (edge) {
      columns.forEach((each, j) => pen.fillText(each, edge + (j + 0.5) * cell, edge / 2, edge));
      rows.forEach((each, i) => pen.fillText(each, edge / 2, edge + (i + 0.5) * cell, edge));
    }
    const mark = style.getPropertyValue("--mark").trim();
    const box = (i, j) => [edge + j * cell, edge + i * cell, cell - 1, cell - 1];
    for (let i = 0; i < rows.length; i++) {
      for (let j = 0; j < columns.length; j++) {
        pen.fillStyle = `rgb(${mark} / ${(0.05 + 0.95 * share(i, j)).toFixed(3)})`;
        pen.fillRect(...box(i, j));
      }
    }
    if (chosen) {
      pen.strokeStyle = style.getPropertyValue("--ink");
      pen.lineWidth = 2;
      pen.strokeRect(...box(...chosen));
    }
  };
  const choose = (i, j) => {
    chosen = [Math.max(0, Math.min(rows.length - 1, i)), Math.max(0, Math.min(columns.length - 1, j))];
    readout.textContent = text(...chosen);
    draw();
  };
  canvas.addEventListener("pointermove", ({ offsetX, offsetY }) => {
    const [i, j] = [Math.floor((offsetY - edge) / cell), Math.floor((offsetX - edge) / cell)];
    if (i >= 0 && j >= 0 && i < rows.length && j < columns.length) choose(i, j);
  });
  canvas.addEventListener("keydown", (event) => {
    const move = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!move) return;
    event.preventDefault();
    const [i, j] = chosen ?? [0, -1];
    choose(i + move[0], j + move[1]);
  });
  new ResizeObserver(draw).observe(canvas.parentNode ?? document.body);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  return { parts: [canvas, readout], draw };
}
