// Gives the learned model away: a page of its own, or a file for mm_jax.

import { modelFile } from "../learn/packing.js";
import { $, data, say, weights } from "./dom.js";
import { save } from "./make.js";

const escaped = (text) => text.replace(/[&<>"']/g, (char) => `&#${char.charCodeAt(0)};`);
const jsonOf = (value) => JSON.stringify(value).replaceAll("<", "\\u003c"); // cannot end a script element

// Encodes bytes in base 64, outside the page's own thread.
export const base64 = (bytes) => new Promise((done) => {
  const reader = new FileReader();
  reader.onload = () => done(reader.result.slice(reader.result.indexOf(",") + 1));
  reader.readAsDataURL(new Blob([bytes]));
});

export function nameOf({ name, example }) {
  const stem = name?.replace(/\.[^.]*$/, "") || (example && say(`example_${example}`));
  $("page-title").placeholder = stem || say("page_title_default");
}

export const titleOf = () => ($("page-title").value.trim() || $("page-title").placeholder).replace(/\p{Cc}/gu, " ");

// Saves an ordinary page: its skeleton, filled with the parts of this page and the model.
export async function savePage() {
  const title = titleOf(), { learner, ...saved } = data;
  const parts_ = ["style", "texts", "engine", "interface"].map((id) => [id, $(id).textContent]);
  const slots = { ...Object.fromEntries(parts_), title: escaped(title) };
  slots.data = jsonOf({ ...saved, known: $("with-filter").checked ? data.known : null });
  slots.weights = await base64(weights);
  const html = JSON.parse($("skeleton").textContent).replace(/\{\{(\w+)\}\}/g, (_, name) => slots[name]);
  handOver(say("page_file", { title }), "text/html;charset=utf-8", html);
}

export function saveModel() {
  handOver(say("model_file", { title: titleOf() }), "application/octet-stream", modelFile(data, weights));
}

function handOver(name, type, content) {
  save(name, type, content);
  $("taken").textContent = say("saved", { name });
}
