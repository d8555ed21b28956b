// Starts the page. Until the last line has run, #trouble is shown in its place.

import { decodeBytes, opened } from "../engine/worker.js";
import { card } from "./about.js";
import { $, count, data, el, say, setShown } from "./dom.js";
import { pictures } from "./look.js";
import {
  SHOWN, arrived, asCsv, asText, begin, copy, field, fill, fitForm, form, fragment, list, onPage, recall, remember,
  running, save, stop,
} from "./make.js";
import { isReadable, ranked, typed } from "./type.js";
import { employ } from "./workers.js";

form.addEventListener("submit", (event) => event.preventDefault());
form.addEventListener("change", ({ target }) => {
  if (target.name !== "order") return begin();
  list();
  remember();
});
field("temperature").addEventListener("input", ({ target }) => { $("heat").textContent = target.value; });
$("next").addEventListener("click", () => {
  field("seed").value = (Number(field("seed").value) + 1) % 2 ** 32;
  begin();
});
$("stop").addEventListener("click", stop);
$("show-more").addEventListener("click", () => fill(onPage + SHOWN));
$("copy").addEventListener("click", () => copy(asText()));
$("txt").addEventListener("click", () => save(say("file", { kind: "txt" }), "text/plain;charset=utf-8", asText()));
$("csv").addEventListener("click", () => save(say("file", { kind: "csv" }), "text/csv;charset=utf-8", asCsv()));
$("link").addEventListener("click", () => copy(location.href));
$("word").addEventListener("input", typed);
$("word").addEventListener("change", remember);

// Links inside the page scroll, and keep the settings in the address.
for (const link of document.querySelectorAll('a[href^="#"]')) {
  link.addEventListener("click", (event) => {
    event.preventDefault();
    const target = $(link.hash.slice(1));
    target.scrollIntoView();
    target.tabIndex = -1;
    target.focus({ preventScroll: true });
  });
}
addEventListener("hashchange", () => {
  if (location.hash !== fragment && recall()) enter();
});

function enter() {
  begin();
  typed();
}

const hear = (found) => (found.rank ? ranked(found) : arrived(found));

// Goes on without a worker, which the browser refused late.
function goOn() {
  if (running) begin();
  typed();
}

// Shows a model, the first or another one: `shown` as a page holds it, and its weights.
export function show(shown, bytes) {
  const before = data?.example, word = $("word").value;
  setShown(shown, bytes, opened(shown, bytes));
  fitForm(data.start);
  if (before === undefined) recall();
  else if (word === before || !isReadable(word)) $("word").value = "";
  $("word").value ||= data.example;
  if (opening.model) $("lede").textContent = data.learned ? say("lede_list", { n: count(data.learned) }) : say("lede");
  $("card").replaceChildren(...card().flatMap(([name, value]) => [el("dt", {}, name), el("dd", { dir: "auto" }, value)]));
  $("main").classList.remove("empty");
  employ(hear, goOn);
  pictures();
  enter();
}

export function reveal() {
  $("trouble").hidden = true;
  $("main").hidden = false;
}

const wide = matchMedia("(min-width: 56rem)");
export const opening = JSON.parse($("data").textContent);
const unfold = () => { $("settings").open = wide.matches && Boolean(opening.model); }; // on a phone words come first
wide.addEventListener("change", unfold);
unfold();

if (opening.model) {
  show(opening, decodeBytes($("weights").textContent).buffer);
  reveal();
}
