"""The page in a real browser: the numbers and words of Python, no request, every control by keyboard."""

import csv
import json
import unicodedata
from pathlib import Path

import jax
import numpy as np
import pytest

import mm_jax
from mm_jax import page, sampling, symbols
from mm_jax.models import contract
from mm_jax.page import pack

from .browser import chromium, require
from .kinds import KINDS, VOCAB, WORDS, model

pytestmark = pytest.mark.slow

KEY = jax.random.key(0)
HOSTILE = "</script><script>alert(1)</script>\"'&\u2028\u202e\u0000<img src=x onerror=alert(2)>"


@pytest.fixture(scope="module")
def browser():
    require()
    with chromium() as each:
        yield each


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """pages(kind, **options): the path of a page, written once."""
    folder, made = tmp_path_factory.mktemp("pages"), {}

    def written(kind: str, **options) -> Path:
        name = f"{kind} {options}"
        if name not in made:
            made[name] = folder / f"{len(made)}.html"
            page.write(model(kind), made[name], **options)
        return made[name]

    return written


@pytest.fixture
def quiet(browser):
    """Fails where the page asked for anything, or the console has a line: an error, a violation of the policy."""
    yield
    console, asked = browser.logs()
    assert console == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []


def rows_of(params, words):
    """The logits at every position of some words, one word after another."""
    limit = contract.max_length(params)
    tokens = [VOCAB.encode(word[:limit]) for word in words]
    longest = max(map(len, tokens))
    rows = jax.jit(jax.vmap(mm_jax.unroll, (None, 0)))(
        params, np.stack([np.pad(t, (0, longest - len(t))) for t in tokens])
    )
    return [np.asarray(row)[: len(t) + 1] for row, t in zip(rows, tokens, strict=True)]


LOGITS = """
const [words] = arguments;
return words.map((word) => {
  const tokens = page.vocab.encode(word.slice(0, maxLength(page.params)));
  let state = start(page.params);
  const rows = [logits(page.params, state)];
  for (const token of tokens) rows.push(logits(page.params, state = advance(page.params, state, token)));
  return rows.map((row) => Array.from(row, String));  // JSON has no infinity
});
"""


# In half precision one of every way to pack arrays; which arrays those are, test_page.py says of every kind.
HALVED = ["counts", "mlp", "ngram", "transformer", "mixture"]


@pytest.mark.parametrize(("kind", "half"), [*((kind, False) for kind in KINDS), *((kind, True) for kind in HALVED)])
def test_logits_are_those_of_python(browser, quiet, pages, kind, half):
    words = WORDS[:: len(WORDS) // 40][:40]
    browser.open(pages(kind, half=half))
    found = np.concatenate([np.array(rows, float) for rows in browser.run(LOGITS, words)])
    params = pack.rounded(model(kind)) if half else model(kind)
    expected = np.concatenate(rows_of(params, words))
    assert len(expected) >= 200
    finite = np.isfinite(expected)
    assert (found[~finite] == expected[~finite]).all()
    assert np.abs(found[finite] - expected[finite]).max() < 1e-5
    if half:  # and not far from those of the model that was not rounded
        exact = np.concatenate(rows_of(model(kind), words))
        assert np.abs(found[finite] - exact[finite]).max() < 1e-2


WORDS_OF = """
const options = Object.assign({n: 1000, seed: 0, temperature: 1, topK: null, prefix: '', suffix: '', contains: '',
  minLength: 0, maxLength: null, new: false, distinct: false}, arguments[0]);
let last;
for (last of search(page, options));
return last.words.map((word) => word[0]);
"""


OFTEN = ("counts", "mlp", "ngram", "gru", "transformer", "wavenet", "fresh", "mixture of alphabets", "product")


@pytest.mark.parametrize(
    "kind", [*OFTEN, *(pytest.param(kind, marks=pytest.mark.weekly) for kind in KINDS if kind not in OFTEN)]
)
def test_the_same_seed_gives_the_same_words(browser, quiet, pages, kind, record_property):
    browser.open(pages(kind))
    different = []
    for seed, count in ((0, 1000), (2**31 + 5, 100)):
        found = browser.run(WORDS_OF, {"seed": seed, "n": count})
        expected = mm_jax.sample(model(kind), jax.random.key(seed), count, min_length=0)
        assert len(found) == len(expected) == count
        different.append(sum(a != b for a, b in zip(found, expected, strict=True)))
    record_property("words that differ", different)
    print(f"{kind}: words of 1,000 and of 100 that differ: {different}")
    assert max(different) <= 2


EACH = [
    {"temperature": 0.5},
    {"temperature": 0.0},
    {"temperature": 1.7, "top_k": 5},
    {"top_k": 1},
    {"prefix": "ma"},
    {"max_length": 4},
]
ALL = {"prefix": "ma", "max_length": 6, "temperature": 0.8, "top_k": 8}


@pytest.mark.parametrize(
    ("kind", "options"),
    [*(("ngram", options) for options in EACH), *((kind, ALL) for kind in ("counts", "mlp", "ngram"))],
)
def test_options_give_the_same_words(browser, pages, kind, options):
    browser.open(pages(kind))
    longest = options.get("max_length", 200)
    if "max_length" in options:  # the page draws one character more, and leaves out what is longer
        options = {**options, "max_length": longest + 1}
    drawn = mm_jax.sample(model(kind), jax.random.key(3), 300, min_length=0, **options)
    expected = [word for word in drawn if len(word) <= longest]
    names = {"top_k": "topK", "max_length": "maxLength"}
    given = {names.get(name, name): longest if name == "max_length" else value for name, value in options.items()}
    found = browser.run(WORDS_OF, {"n": 300, "seed": 3, **given})
    assert len(expected) > 10
    assert sum(a != b for a, b in zip(found[: len(expected)], expected, strict=True)) <= 1


def test_the_page_makes_what_the_command_makes(browser, quiet, tmp_path):
    from typer.testing import CliRunner

    from mm_jax.tool.arguments import application

    app, run, path = application(["train"]), tmp_path / "run", tmp_path / "page.html"
    listed = tmp_path / "list.txt"
    listed.write_text("\n".join(WORDS[:400]) + "\n", encoding="utf-8")
    call = CliRunner().invoke
    assert call(app, ["train", str(listed), "--model", "ngram", "--out", str(run)]).exit_code == 0
    assert call(app, ["page", str(run), "--out", str(path), "--with-words", "--title", "Given"]).exit_code == 0
    for line, fragment in {
        "-n 20 --seed 7": "#seed=7",
        "-n 50 --seed 3 --temperature 0.8 --suffix a --min-length 5": (
            "#n=50&seed=3&temperature=0.8&suffix=a&min-length=5"
        ),
        "-n 30 --seed 1 --contains an --distinct --max-length 7": "#n=30&seed=1&contains=an&distinct=1&max-length=7",
        "-n 25 --seed 5 --top-k 9 --prefix a --max-length 3": "#n=25&seed=5&top-k=9&prefix=a&max-length=3",
    }.items():
        done = call(app, ["sample", str(run), *line.split(), "--json"])
        browser.open(path, fragment)
        expected = json.loads(done.stdout)["words"]
        found = browser.words()
        assert found == expected
        assert browser.text("#command").startswith("mm-jax sample RUN ")
    assert browser.text("h1") == "Given"


def test_only_new_leaves_out_the_list(browser, quiet, pages):
    browser.open(pages("ngram", words=WORDS, with_words=True), "#n=500&seed=1&new=1")
    assert len(browser.words()) == 500
    assert not set(browser.words()) & set(WORDS)
    browser.fill("new", "0")
    assert set(browser.words()) & set(WORDS)  # so it was the filter that left them out


def test_a_link_reproduces(browser, quiet, pages):
    browser.open(pages("mlp"))
    for name, value in {"n": "33", "seed": "12", "temperature": "0.7", "prefix": "k", "distinct": "1"}.items():
        browser.fill(name, value)
    browser.type("kelly")
    browser.run("remember()")
    words, fragment = browser.words(), browser.run("return location.hash")
    assert len(words) == 33 and all(word.startswith("k") for word in words)
    browser.open(pages("mlp"), fragment)
    assert browser.words() == words
    assert browser.run("return document.getElementById('word').value") == "kelly"
    browser.run("location.hash = '#seed=13'")  # an address that was pasted
    browser.wait("form.elements.seed.value === '13' && $('progress').hidden")
    assert browser.words() != words


def test_a_word_is_scored_as_in_python(browser, quiet, pages):
    browser.open(pages("mlp", words=WORDS))
    browser.type("marvin")
    score = mm_jax.score(model("mlp"), "marvin")
    assert np.abs(np.array(browser.run("return typedWord.nats")) - [each.nll for each in score.characters]).max() < 1e-5
    assert browser.run("return typedWord.ranks") == [each.rank for each in score.characters]
    sums, lengths = mm_jax.evaluation.word_nlls(model("mlp"), WORDS)
    likelier = 100 * (sums / lengths > score.mean).mean()
    shown = float(browser.text("#summary").split("than ")[1].split("%")[0])
    assert abs(shown - likelier) <= 1.5
    browser.type("mar?in")
    assert "“?”" in browser.text("#unread")


RANK = "let last; for (last of ranking(page, arguments[0], arguments[1])); return last ?? null;"


@pytest.mark.parametrize(("kind", "words"), [
    ("mlp", ["marvin", "a", "qzx"]), ("rnn", ["anna", "xa"]), ("counts, unsmoothed", ["anna", "mi"]),
])  # fmt: skip
def test_a_word_is_ranked_as_in_python(browser, quiet, pages, kind, words):
    browser.open(pages(kind))
    for word in words:
        found, expected = browser.run(RANK, word, 1000), mm_jax.rank(model(kind), word, KEY, num_samples=1000)
        assert found["exact"] == expected.exact
        for name in ("rank", "low", "high"):
            assert abs(found[name] - getattr(expected, name)) <= 0.01 * getattr(expected, name), (word, name)
    assert browser.run(RANK, "", 1000) is None
    browser.type("anna")
    browser.wait("$('rank')?.textContent", 60)
    assert "of all words" in browser.text("#rank")


SYMBOLS = {
    "Hindi": ("graphemes", ["हिन्दी", "नमस्ते", "भारत", "दिल्ली", "मुंबई", "क्षत्रिय", "स्त्री", "कृष्ण", "श्रीमती", "हिंदुस्तान"]),
    "Thai": ("graphemes", ["กรุงเทพ", "น้ำ", "เชียงใหม่", "ที่นี่", "ผู้ใหญ่", "ปู่", "ตำรวจ", "เก้าอี้", "มั่งคั่ง", "สุขุม"]),
    "Tamil": ("graphemes", ["தமிழ்", "சென்னை", "கோயம்புத்தூர்", "மதுரை", "திருச்சி", "சேலம்", "ஈரோடு", "வேலூர்"]),
    "emoji": ("graphemes", ["👩‍🌾🇧🇪", "👍🏽❤️", "🍎👨‍👩‍👧‍👦", "🇧🇪🇳🇱", "🏳️‍🌈🍐", "👩‍🌾👍🏽", "🇳🇱❤️🍎", "e\u0301\u0323x"]),
    "phonemes": ("words", ["K AE1 T", "AE1 T", "B AE1 T", "K AA1 T", "S K AE1 T", "B AA1 B", "T AE1 K S", "AE1 K T"]),
}  # fmt: skip


@pytest.mark.parametrize("script", SYMBOLS)
def test_symbols_are_cut_drawn_and_shown_as_in_python(browser, quiet, tmp_path, script):
    units, words = SYMBOLS[script]
    words = [unicodedata.normalize("NFC", word) for word in words]
    vocab = mm_jax.Vocab.from_words(words, units)
    params = mm_jax.ngram.fit(words, vocab, order=3)
    page.write(params, tmp_path / "page.html", words=words, with_words=True)
    browser.open(tmp_path / "page.html")
    cut = browser.run("return arguments[0].map((word) => CUTS[arguments[1]](word))", words, units)
    assert cut == [list(symbols.cut(word, units)) for word in words]
    expected = mm_jax.sample(params, KEY, 300, min_length=0)
    assert browser.run(WORDS_OF, {"n": 300}) == expected
    assert browser.run(WORDS_OF, {"n": 20, "prefix": words[0]}) == mm_jax.sample(params, KEY, 20, prefix=words[0])
    browser.type(words[0])
    score = mm_jax.score(params, words[0])
    shown = browser.run("return [...document.querySelectorAll('#tiles bdi')].map((each) => each.textContent)")
    assert shown == [*cut[0], "end"]
    assert np.abs(np.array(browser.run("return typedWord.nats")) - [each.nll for each in score.characters]).max() < 1e-5
    assert "in the list" in browser.text("#summary")


def test_an_ngram_says_how_far_it_looked(browser, quiet, pages):
    browser.open(pages("ngram"))
    browser.type("zzq")
    assert browser.run("return depthAt(typedWord.tokens, 0)") == 4  # the padding before a word is context
    assert browser.run("return depthAt(typedWord.tokens, 3)") <= 1  # nothing known ends in zq


def answers(browser, action, limit=100):
    """Whether no task takes longer than `limit` ms: in one of three tries, as the machine may be busy otherwise."""
    tasks = []
    while len(tasks) < 3 and not (tasks and min(tasks) <= limit):
        tasks.append(browser.longest_task(action))
    print(f"longest task: {tasks} ms")
    return min(tasks) <= limit


@pytest.mark.alone
def test_ten_thousand_words_do_not_freeze_the_page(browser, quiet, pages):
    browser.open(pages("mlp"))

    def make():
        browser.fill("n", "20")
        browser.fill("n", "10000")

    assert answers(browser, make)
    assert len(browser.words()) == 10_000
    block = "const end = performance.now() + 150; while (performance.now() < end)"
    assert not answers(browser, lambda: browser.task(block))  # so long tasks are seen


@pytest.mark.alone
def test_without_workers_the_page_draws_in_slices(browser, pages):
    browser.open(pages("mlp"), "#n=10000&seed=4")
    expected = browser.words()

    def make():
        browser.task("worker = null; begin()")
        browser.finished()

    assert answers(browser, make, limit=300)  # in one piece it takes a second and more
    assert browser.words() == expected
    browser.task("show(data, weights); worker.dispatchEvent(new Event('error'))")  # as a browser that refuses it
    browser.fill("n", "50")
    assert browser.run("return worker") is None
    assert browser.words() == made_by_python(model("mlp"), 4, 50)


def test_copies_and_files_hold_every_word(browser, pages):
    browser.open(pages("counts"), "#n=700&seed=2&order=likely")
    words = browser.words()
    assert sorted(words) != words
    files = {f".{kind}": browser.saved(kind) for kind in ("txt", "csv")}
    assert files[".txt"].read_text(encoding="utf-8").splitlines() == words
    rows = list(csv.DictReader(files[".csv"].read_text(encoding="utf-8").splitlines()))
    assert [row["word"] for row in rows] == words
    score = mm_jax.score(model("counts"), words[0])
    assert abs(float(rows[0]["nats"]) - score.nll) < 1e-3
    means = [float(row["nats_per_character"]) for row in rows]
    assert means == sorted(means)


def made_by_python(params, seed, n):
    """The words of the page's first settings: none empty."""
    options = sampling.SamplingOptions()
    key = jax.random.key(seed)
    return sampling.search(params, key, n, lambda words: map(bool, words), options, budget=100_000).words


def test_hostile_text_does_nothing_but_show(browser, quiet, tmp_path):
    chars = "." + "".join(dict.fromkeys("<>/\"'&\u2028\u202e\u0000abc{}$`\\=;\u0301\u200f "))
    vocab = mm_jax.Vocab(chars)
    params = mm_jax.bigram.init(jax.random.key(0), vocab)
    page.write(params, tmp_path / "x.html", title=HOSTILE, card={HOSTILE: HOSTILE}, words=None)
    browser.open(tmp_path / "x.html", "#n=200&seed=1")
    assert browser.text("h1") == HOSTILE.replace("\0", " ")
    assert browser.run("return document.scripts.length") == 5
    assert browser.run("return document.querySelectorAll('img').length") == 0
    assert browser.words() == made_by_python(params, 1, 200)
    for word in ("</a>", "<b>", "\u202e<b>", "'\u0301\""):
        browser.type(word)
        assert browser.run("return typedWord.tokens.length") == len(word)
    assert browser.run("return document.querySelectorAll('#tiles script, #tiles a, #words a').length") == 0


def test_mistakes_are_answered_in_words(browser, quiet, pages):
    browser.open(pages("mlp"))
    for name, value, says in [
        ("n", "0", "from 1 to 10,000"),
        ("n", "", "from 1 to 10,000"),
        ("prefix", "a?", "“?” is not a character"),
        ("suffix", ".", "ends a word"),
        ("max-length", "0", "from 1 to 200"),
    ]:
        browser.fill(name, value)
        assert says in browser.text("#refused"), name
        assert browser.run("return form.elements[arguments[0]].getAttribute('aria-invalid')", name) == "true"
        browser.fill(name, {"n": "20"}.get(name, ""))
        assert browser.text("#refused") == ""
    browser.fill("contains", "qqqq")
    assert "Too few words met all conditions" in browser.text("#refused")


def test_every_control_works_by_keyboard(browser, quiet, pages):
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.common.keys import Keys

    def press(*keys):
        ActionChains(browser.driver).send_keys(*keys).perform()

    def focused():
        return browser.run("const e = document.activeElement; return e.id || e.name || e.className || e.textContent")

    browser.open(pages("counts", words=WORDS, with_words=True))
    browser.run("document.getElementById('more').open = true")
    reached = []
    for _ in range(200):
        press(Keys.TAB)
        reached.append(focused())
        if browser.run("return document.activeElement.tagName === 'CANVAS'"):
            break
    for control in ("n", "seed", "temperature", "prefix", "contains", "suffix", "min-length", "max-length", "top-k",
                    "new", "distinct", "next", "order", "copy", "txt", "csv", "link", "word"):  # fmt: skip
        assert control in reached, control
    press(Keys.ARROW_RIGHT, Keys.ARROW_DOWN)
    assert "→" in browser.text(".readout")

    def focus(css):
        browser.run("document.querySelector(arguments[0]).focus()", css)

    focus("[name=n]")
    press(Keys.CONTROL, "a")
    focus("[name=n]")
    browser.run("document.activeElement.select()")
    press("7", Keys.ENTER)
    browser.finished()
    assert len(browser.words()) == 7
    focus("[name=temperature]")
    press(Keys.HOME)
    browser.finished()
    assert browser.text("#heat") == "0" and len(set(browser.words())) == 1
    focus("#next")
    press(Keys.ENTER)
    browser.finished()
    assert browser.run("return form.elements.seed.value") == "1"
    focus("#words button")
    press(Keys.ENTER)
    assert browser.run("return document.getElementById('word').value") == browser.words()[0]
    focus("#expected button")
    press(Keys.SPACE)
    assert len(browser.run("return document.getElementById('word').value")) == len(browser.words()[0]) + 1
    focus("#tiles button")
    press(Keys.ENTER)
    assert "begin" in browser.text("#expected h3")


@pytest.mark.parametrize(("dark", "width"), [(False, 360), (True, 1200)])
@pytest.mark.parametrize("kind", ["counts", "mlp", "mixture"])
def test_axe_finds_no_violation(browser, pages, kind, dark, width):
    axe = pytest.importorskip("axe_core_python.base")
    scheme = {"features": [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]}
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", scheme)
    browser.open(pages(kind, words=WORDS, with_words=True), width=width)
    browser.type("marvinx" if "x" in VOCAB.chars else "marvin")
    browser.run("document.getElementById('more').open = true")
    browser.run(Path(axe.AXE_FILE_PATH).read_text(encoding="utf-8"))
    result = browser.driver.execute_async_script(
        "axe.run().then(arguments[0], (error) => arguments[0]({error: `${error}`}))"
    )
    browser.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert "error" not in result
    assert [(each["id"], each["impact"], each["nodes"][0]["html"]) for each in result["violations"]] == []
    assert len(result["passes"]) > 20
    assert browser.run("return document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(("words", "direction"), [
    (["さくら", "はるか", "ゆうき", "みさき", "あおい", "ひなた"], "ltr"),
    (["محمد", "فاطمة", "أحمد", "عائشة", "يوسف"], "rtl"),
    (["שרה", "דוד", "רחל", "יוסף"], "rtl"),
])  # fmt: skip
def test_any_script(browser, quiet, tmp_path, words, direction):
    vocab = mm_jax.Vocab.from_words(words)
    params = mm_jax.ngram.fit(words, vocab, 3)
    page.write(params, tmp_path / "x.html", words=words, with_words=True)
    browser.open(tmp_path / "x.html", "#seed=1")
    assert browser.words() == made_by_python(params, 1, 20)
    browser.type(words[0])
    assert browser.run("return document.getElementById('tiles').dir") == direction
    assert "not in the list" not in browser.text("#summary")


def test_a_page_that_is_cut_short_says_so(browser, pages, tmp_path):
    whole = pages("mlp").read_text(encoding="utf-8")
    path = tmp_path / "cut.html"
    path.write_text(whole[: len(whole) * 2 // 3], encoding="utf-8")
    browser.driver.get(path.as_uri())
    browser.wait("getComputedStyle(document.getElementById('trouble')).opacity === '1'")
    assert "fetch it again" in browser.text("#trouble")
    assert browser.run("return document.getElementById('main').hidden")
