// Starts the page. Until the last line has run, #trouble is shown in its place.

$("lede").textContent = say("lede", { kind: data.kind, numbers: count(data.numbers) });
$("card").append(...data.card.flatMap(([name, value]) => [el("dt", {}, name), el("dd", { dir: "auto" }, value)]));
$("only-new").hidden = $("legend-list").hidden = !page.known;

form.addEventListener("submit", (event) => {
  event.preventDefault();
  begin();
});
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
$("txt").addEventListener("click", () => save("txt", asText()));
$("csv").addEventListener("click", () => save("csv", asCsv()));
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
  typed();
  begin();
}

recall();
$("word").value ||= data.example;
$("trouble").hidden = true;
$("main").hidden = false;
pictures();
enter();
