// Make words: the form, sampling, the list, copying and saving.

import { isKnown } from "../engine/known.js";
import { Trouble } from "../engine/sampling.js";
import { make } from "../engine/worker.js";
import { $, LANG, count, data, decimals, el, page, say, visible } from "./dom.js";
import { inspect } from "./type.js";
import { worker } from "./workers.js";

export const SHOWN = 200; // words put on the page at once
const LONG = 12; // characters that need a phone's whole width
const LINE = 36; // characters that need any screen's
export const form = $("form");
export const field = (name) => form.elements[name];
const NUMBERS = { n: [1, 10000], seed: [0, 2 ** 32 - 1], "min-length": [0, 200], "max-length": [1, 200], "top-k": [1, 1e6] };
let initial = null; // the values of the form for this model, by name
export let onPage = 0;
export let fragment = ""; // of the address
export let running = false;
let words = [], listed = [], job = 0;

const values = () => Object.fromEntries([...form.elements].filter((each) => each.name).map((each) => [each.name, valueOf(each)]));

// Begins with the settings that fit the model; keeps what the user has changed.
export function fitForm({ temperature, least, longest }) {
  const kept = initial ? changed() : [];
  field("temperature").value = temperature;
  field("min-length").placeholder = least;
  field("max-length").placeholder = longest ?? say("any");
  initial = { ...values(), ...Object.fromEntries(kept.map(([name]) => [name, initial[name]])), temperature: field("temperature").value };
  for (const [name, value] of kept) setField(name, value);
  $("only-new").hidden = $("legend-list").hidden = !page.known;
}

function setField(name, value) {
  if (field(name).type === "checkbox") field(name).checked = value === "1"; else field(name).value = value;
}

function valueOf(input) {
  return input.type === "checkbox" ? (input.checked ? "1" : "") : input.value;
}

function number(name) {
  const [low, high] = NUMBERS[name], text = field(name).value.trim(), value = Number(text);
  if (text === "" && initial[name] === "" && !field(name).validity.badInput) return null;
  if (text === "" || !Number.isInteger(value) || value < low || value > high) {
    throw new Trouble("number", { field: name, low: count(low), high: count(high) });
  }
  return value;
}

// Reads the form as the options of `search`; throws a Trouble for an invalid field.
function settings() {
  const maxLength = number("max-length") ?? data.start.longest;
  const minLength = number("min-length") ?? Math.min(data.start.least, maxLength ?? Infinity);
  return {
    n: number("n"), seed: number("seed"), temperature: Number(field("temperature").value), topK: number("top-k"),
    prefix: field("prefix").value, suffix: field("suffix").value, contains: field("contains").value,
    minLength, maxLength, new: field("new").checked, distinct: field("distinct").checked,
    firstCase: field("prefix").value ? "" : data.start.first_case,
  };
}

// Returns the settings that differ from the initial ones, by field.
function changed() {
  const fields = Object.keys(initial).map((name) => [name, valueOf(field(name))]);
  return fields.filter(([name, value]) => name === "seed" || value !== initial[name]);
}

let also = () => []; // what else an address holds: entries

export function alsoRemember(entries) {
  also = entries;
}

export function remember() {
  const entries = [...changed(), ...also()];
  if (![data.example, ""].includes($("word").value)) entries.push(["word", $("word").value]);
  fragment = `#${new URLSearchParams(entries)}`;
  if (location.hash !== fragment) location.replace(fragment);
}

// Applies the settings in an address; returns true if it holds any.
export function recall() {
  const given = new URLSearchParams(location.hash.slice(1));
  if (!given.has("seed")) return false;
  for (const [name, value] of Object.entries(initial)) {
    setField(name, given.get(name) ?? value);
    if ($("more").contains(field(name)) && valueOf(field(name)) !== value) $("settings").open = $("more").open = true;
  }
  $("word").value = given.get("word") ?? $("word").value;
  return true;
}

// Returns the command that makes the same words, in parts that are not broken over lines.
const quoted = (text) => (/^[\w.-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);

function command() {
  const options = changed().filter(([name]) => name !== "order").map(([name, value]) => {
    const flag = name === "n" ? "-n" : `--${name}`;
    return field(name).type === "checkbox" ? flag : `${flag} ${quoted(value)}`;
  });
  return [`mm-jax sample ${data.run ? quoted(data.run) : "RUN"}`, ...options].flatMap((part) => [el("span", {}, part), " "]);
}

export function begin() {
  $("heat").textContent = field("temperature").value;
  let options;
  job += 1;
  refuse(null);
  try {
    options = settings();
  } catch (trouble) {
    return finish(), refuse(trouble);
  }
  words = [];
  running = true;
  $("progress").hidden = $("stop").hidden = false;
  $("command").replaceChildren(...command());
  $("same").hidden = !data.start.longest || options.new; // it starts from the list, and has the list itself
  $("progress").max = options.n;
  $("progress").removeAttribute("value");
  remember();
  const id = job;
  if (worker) worker.postMessage({ id, options });
  else make(page, options, (found) => arrived({ id, ...found }), () => id !== job);
}

function finish() {
  running = false;
  $("progress").hidden = $("stop").hidden = true;
}

function refuse(trouble) {
  const { field: name, ...values } = trouble ? trouble.detail : {};
  $("refused").textContent = trouble ? say(trouble.message, { ...values, char: values.char && visible(values.char) }) : "";
  for (const each of form.elements) if (each.name) each.setAttribute("aria-invalid", each.name === name);
  if (!trouble) return;
  $("settings").open = true;
  if ($("more").contains(field(name))) $("more").open = true;
}

// Shows words as they come.
export function arrived({ id, words: more, tried, done, trouble }) {
  if (id !== job) return;
  if (trouble) {
    finish();
    return refuse({ message: trouble.what, detail: trouble });
  }
  if (!words.length) list();
  for (const each of more) words.push(each);
  $("progress").value = words.length;
  fill(SHOWN);
  if (!done) return;
  finish();
  if (field("order").value !== "drawn") list();
  const values = { found: count(words.length), n: count(number("n") ?? 0), tried: count(tried) };
  $("status").textContent = say("found", values);
  if (words.length < number("n")) $("refused").textContent = say("seldom");
}

export function stop() {
  job += 1; // what the worker still sends belongs to no job
  worker?.postMessage({ id: job, options: null });
  finish();
  list();
  $("status").textContent = say("stopped", { found: count(words.length) });
}

const mean = ([, nats, length]) => nats / (length + 1);
const { compare } = new Intl.Collator(LANG);
const ORDERS = {
  likely: (a, b) => mean(a) - mean(b),
  odd: (a, b) => mean(b) - mean(a),
  alphabet: (a, b) => compare(a[0], b[0]),
};

// Lists words in the order chosen in the form; while words are drawn, in order of arrival.
export function list() {
  const order = field("order").value;
  listed = order === "drawn" || running ? words : [...words].sort(ORDERS[order]);
  onPage = 0;
  $("words").replaceChildren();
  fill(SHOWN);
}

// Shows the first words of the list; "show more" shows the rest, and copying and saving include it.
export function fill(upTo) {
  const more = listed.slice(onPage, upTo);
  if (!$("words").firstChild) $("words").append(el("ul"));
  $("words").firstChild.append(...more.map(entry));
  const { classList } = $("words").firstChild;
  if (more.some(([word]) => word.length > LONG)) classList.add("long"); // one column on a phone
  if (more.some(([word]) => word.length > LINE)) classList.add("lines"); // one column
  onPage += more.length;
  $("show-more").hidden = onPage >= listed.length;
}

function entry(word) {
  const old = isKnown(page.known, word[0]);
  const label = `${word[0]}, ${say("nats_each", { nats: decimals(mean(word)) })}${old ? `, ${say("in_list")}` : ""}`;
  const button = el("button", { type: "button", "aria-label": label, title: label, onclick: () => inspect(word[0]) });
  button.append(el("bdi", {}, Array.from(word[0], (char) => (/\p{Cc}/u.test(char) ? visible(char) : char)).join("")));
  button.append(el("small", {}, decimals(mean(word)) + (old ? " •" : "")));
  return el("li", old ? { class: "old" } : {}, button);
}

export async function copy(text) {
  let fine = true;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = el("textarea", { "aria-hidden": "true" });
    document.body.append(area);
    area.value = text;
    area.select();
    fine = document.execCommand("copy"); // browsers that give a file no clipboard
    area.remove();
  }
  $("status").textContent = say(fine ? "copied" : "not_copied");
}

// Saves a file under a name that every system allows.
export function save(name, type, content) {
  const href = URL.createObjectURL(new Blob([content], { type }));
  const link = el("a", { href, download: name.replace(/[\\/:*?"<>|\p{C}]/gu, " ").trim().slice(0, 100) });
  link.click();
  setTimeout(() => URL.revokeObjectURL(href), 1000);
}

export const asText = () => listed.map(([word]) => `${word}\n`).join("");
const cell = (text) => (/[",\s]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
export const asCsv = () => {
  const rows = listed.map((word) => `${cell(word[0])},${word[1].toFixed(4)},${mean(word).toFixed(4)}\n`);
  return `word,nats,nats_per_character\n${rows.join("")}`;
};
