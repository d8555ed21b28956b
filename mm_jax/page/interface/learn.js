// Learns a list in the page: pasted, dropped, from a file, or an example. What learns runs in a worker of its own.

import { decodeBytes } from "../engine/worker.js";
import { learnList, prepare } from "../learn/learner.js";
import { $, LANG, TEXTS, count, decimals, el, percent, say, visible } from "./dom.js";
import { opening, show } from "./main.js";
import { nameOf, titleOf } from "./take.js";
import { workerOf } from "./workers.js";

const TOO_LARGE = 64; // MiB of a file
const SHORT = 50000; // bytes of a file that is shown as text
const PLACE = "mm_jax list"; // in the browser's storage
export let lesson = { content: "" }; // the list: its content, text or bytes; its name; an example; the column of a table
export let learning = false;
export let teacher = null; // a worker, or "page"
export let task = 0;
let firstCame = false;
let learnedWords = 0, facts = {};

const prior = () => ({ ...opening.learner, bytes: decodeBytes($("prior").textContent).buffer });

// Starts the worker that learns; in place of one that the browser refuses, the page learns in slices.
function teach() {
  if (teacher) return;
  let answered = false;
  const heard = (message) => {
    answered = true;
    hear(message);
  };
  const failed_ = (event) => {
    event.preventDefault();
    if (answered) return hear({ id: task, trouble: { what: "failed", error: event.message } });
    teachHere();
    send();
  };
  teacher = workerOf(["engine", "learner"], heard, failed_);
  if (teacher) teacher.postMessage({ prior: prior() });
  else teachHere();
}

function teachHere() {
  teacher = "page";
  prepare(prior());
}

function send() {
  const id = task, { content, column = null } = lesson;
  if (teacher !== "page") return teacher.postMessage({ id, learn: { content, column } });
  learnList({ content, column }, (message) => hear({ id, ...message }), () => id !== task)
    .catch((error) => hear({ id, trouble: { what: "failed", error: error.message } }));
}

export function setLesson(given) {
  lesson = given;
}

export function learn(asked) {
  lesson = asked;
  task += 1;
  learning = true;
  firstCame = false;
  $("learn-trouble").textContent = $("stage").textContent = $("taken").textContent = "";
  $("report").replaceChildren();
  $("columns").hidden = true;
  $("way").hidden = false;
  $("share").value = 0;
  $("file-name").hidden = !lesson.name || Boolean($("list").value);
  if (lesson.name) $("file-name").textContent = say("file_taken", { name: lesson.name, size: count(Math.ceil(lesson.size / 1000)) });
  for (const each of $("examples").querySelectorAll("button")) {
    each.setAttribute("aria-pressed", each.name === lesson.example);
  }
  nameOf(lesson);
  if ($("keep").checked) keep();
  teach();
  send();
}

function endLesson(stage) {
  learning = false;
  $("way").hidden = true;
  $("stage").textContent = stage && say(stage, facts);
}

function hear({ id, stage, share, trouble, read, model, weights: bytes, about, last }) {
  if (id !== task) return;
  if (stage) {
    $("share").value = share;
    const text = say(`stage_${stage}`, facts);
    // A screen reader reads each change.
    if (!firstCame && $("stage").textContent !== text) $("stage").textContent = text;
  }
  if (trouble) {
    endLesson("");
    const { what, ...detail } = trouble;
    for (const [name, each] of Object.entries(detail)) detail[name] = typeof each === "number" ? count(each) : brief(each);
    $("learn-trouble").textContent = say(`trouble_${what}`, detail);
  }
  if (read) understood(read);
  if (model) {
    const run = say("model_file", { title: titleOf() }); // for the command that makes the same words
    show({ ...model, learned: learnedWords, card: cardOf(about), run }, bytes);
    firstCame = true;
    judged(about);
    if (last) endLesson("stage_done");
    else $("stage").textContent = say("stage_first");
  }
}

// Shortens a word of the list, and makes its control characters visible.
function brief(text) {
  const chars = Array.from(String(text), (char) => (/\p{C}/u.test(char) ? visible(char) : char));
  return chars.length > 40 ? `${chars.slice(0, 40).join("")}…` : chars.join("");
}

// Says what was read, and what is odd about it.
function understood({ words: n, alphabet, report, columns, column }) {
  learnedWords = n;
  facts = { words: count(n), characters: count(alphabet) };
  $("report").replaceChildren(...report.map(({ kind, count: many, of, examples }) => {
    const text = say(`report_${kind}`, { count: count(many), of: count(of ?? 0) });
    const shown_ = (examples ?? []).map(brief).filter(Boolean).join(", ");
    return el("li", {}, shown_ ? say("report_example", { text, examples: shown_ }) : text);
  }));
  $("columns").hidden = !columns;
  if (!columns) return;
  const names = [say("column_lines"), ...columns.map((name, i) => brief(name) || say("column_number", { n: i + 1 }))];
  $("column").replaceChildren(...names.map((name, i) => el("option", { value: i }, name)));
  $("column").value = column;
}

const KINDS = ["uniform", "ngram", "product"];
const lossOf = (loss) => (typeof loss === "number" ? { nll: loss, stderr: null } : loss);
const inNats = ({ nll, stderr }) => (stderr === null
  ? say("bar_nats", { nats: decimals(nll) }) : say("bar_nats_stderr", { nats: decimals(nll), stderr: decimals(stderr) }));

// Shows how well the model guesses: exp(nats per character) is the number of letters that it hesitates between.
export function judged({ losses, heldOut, prior: part }) {
  $("good").hidden = !losses;
  if (!losses) return;
  const rows = KINDS.filter((kind) => losses[kind] !== null).map((kind) => [say(`bar_${kind}`), lossOf(losses[kind])]);
  const most = Math.exp(losses.uniform);
  $("bars").replaceChildren(...rows.map(([name, loss]) => {
    const many = Math.exp(loss.nll);
    const inside = [el("bdi", {}, name), el("i", { share: many / most }), el("small", {}, decimals(many, 1))];
    return el("li", {}, el("div", { class: "row wide-name", title: inNats(loss) }, ...inside));
  }));
  const note = `prior_${part.replace(" ", "_")}`;
  const all = rows.map(([name, loss]) => `${name}: ${inNats(loss)}.`);
  if (note in TEXTS[LANG]) all.push(say(note));
  $("held-out").textContent = [say(`held_${heldOut.how}`, { n: count(heldOut.words) }), ...all].join(" ");
}

function cardOf({ losses, members }) {
  const loss = losses && (losses.product ?? losses.ngram);
  const sum = members.reduce((total, { power }) => total + power, 0);
  const made = members.map(({ kind, power }) => `${say(`member_${kind}`)} ${percent(power / sum)}`);
  return [
    [say("card_learned"), say("card_learned_text", { n: count(learnedWords) })],
    ...(loss ? [[say("card_held_out"), inNats(loss)]] : []),
    [say("card_members"), made.join(", ")],
  ];
}

export function stopLearning() {
  task += 1;
  if (teacher !== "page") teacher.postMessage({ id: task, learn: null });
  endLesson(firstCame ? "stage_stopped_first" : "stage_stopped");
}

export async function learnFile(file) {
  $("list").value = "";
  if (file.size > TOO_LARGE * 2 ** 20) return failed({ what: "large", limit: TOO_LARGE });
  let content;
  try {
    content = await file.arrayBuffer();
  } catch {
    return failed({ what: "unreadable", name: file.name });
  }
  try {
    if (file.size <= SHORT) $("list").value = new TextDecoder("utf-8", { fatal: true }).decode(content);
  } catch {} // no UTF-8: the engine says what it is
  learn({ content, name: file.name, size: file.size });
}

function failed(trouble) {
  task += 1;
  hear({ id: task, trouble });
}

export function learnExample(name) {
  $("list").value = `${opening.learner.examples[name].join("\n")}\n`;
  learn({ content: $("list").value, example: name });
}

export const learnText = () => learn({ content: $("list").value });

// Keeps the list in the browser's storage, or forgets it; says what came of it.
export function keep() {
  try {
    if (!$("keep").checked) localStorage.removeItem(PLACE);
    else if (typeof lesson.content !== "string") return tellKept("kept_large");
    else localStorage.setItem(PLACE, lesson.content);
    tellKept($("keep").checked ? "kept_yes" : "kept_no");
  } catch (error) {
    tellKept(error.name === "QuotaExceededError" ? "kept_large" : "kept_forbidden");
  }
}

function tellKept(what) {
  $("kept").textContent = say(what);
  $("keep").checked = what === "kept_yes";
}

export function keptList() {
  try {
    return localStorage.getItem(PLACE);
  } catch {
    return null;
  }
}
