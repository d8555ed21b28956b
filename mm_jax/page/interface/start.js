// Starts the part of the page that learns; see main.js.

import { $, TEXTS, el, say } from "./dom.js";
import { keep, keptList, learn, learnExample, learnFile, learnText, learning, lesson, setLesson, stopLearning } from "./learn.js";
import { opening, reveal } from "./main.js";
import { alsoRemember } from "./make.js";
import { saveModel, savePage } from "./take.js";

for (const name of Object.keys(opening.learner.examples)) {
  const button = el("button", { type: "button", name, "aria-pressed": false, onclick: () => learnExample(name) });
  button.append(say(`example_${name}`));
  $("examples").append(button);
}
$("learn-go").addEventListener("click", () => (typeof lesson.content === "string" || $("list").value ? learnText() : learn(lesson)));
$("learn-stop").addEventListener("click", stopLearning);
$("list").addEventListener("input", ({ inputType }) => {
  $("file-name").hidden = true;
  setLesson({ content: $("list").value });
  if (inputType === "insertFromPaste" || inputType === "insertFromDrop") learnText();
});
$("open").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", ({ target }) => {
  if (target.files.length) learnFile(target.files[0]);
  target.value = "";
});
$("column").addEventListener("change", ({ target }) => learn({ ...lesson, column: Number(target.value) }));
$("keep").addEventListener("change", keep);
$("save-page").addEventListener("click", savePage);
$("save-model").addEventListener("click", saveModel);

// A file may be dropped anywhere: the browser would leave the page for it.
addEventListener("dragover", (event) => event.preventDefault());
addEventListener("drop", (event) => {
  const [file] = event.dataTransfer.files;
  if (!file) return;
  event.preventDefault();
  openLearner();
  learnFile(file);
});

// Asks before a list is lost that is being learned, and is not kept.
addEventListener("beforeunload", (event) => {
  if (learning && !lesson.example && !$("keep").checked) event.preventDefault();
});

function openLearner() {
  $("learn").hidden = $("take").hidden = false;
  $("main").classList.add("learner");
}

alsoRemember(() => (lesson.example ? [["example", lesson.example]] : []));

if (opening.model) {
  $("learn").hidden = $("take").hidden = true;
  const open = el("a", { href: "#learn", id: "to-learn" }, say("to_learn"));
  document.querySelector("nav").append(open);
  open.addEventListener("click", (event) => {
    event.preventDefault();
    openLearner();
    $("learn").scrollIntoView();
    $("list").focus({ preventScroll: true });
  });
} else {
  openLearner();
  $("lede").textContent = say("learn_lede");
  if (document.title === TEXTS.en.learn_title) $("title").textContent = document.title = say("learn_title");
  const list_ = keptList(), example = new URLSearchParams(location.hash.slice(1)).get("example");
  reveal();
  if (list_ === null || example in opening.learner.examples) {
    learnExample(example in opening.learner.examples ? example : Object.keys(opening.learner.examples)[0]);
  } else {
    $("keep").checked = true;
    $("list").value = list_;
    learnText();
  }
}
