"""The page that learns, in Chromium and in Firefox: from a pasted list to words, bad input, what can be taken away."""

import json
from pathlib import Path

import pytest

from mm_jax import page
from mm_jax.page.markup import LANGUAGES

from .browser import chromium, require
from .firefox import firefox

pytestmark = pytest.mark.slow

HOSTILE = "</script><script>alert(1)</script>\"'&\u2028\u202e<img src=x onerror=alert(2)>"
TOWNS = ["Abham", "Barford", "Carwick", "Denham", "Elford", "Farwick", "Garham", "Hanford", "Inwick", "Jarham"]
TOWNS += [f"{first}{last}" for first in ("Kel", "Lan", "Mor", "Nor", "Os") for last in ("ham", "ford", "wick", "ton")]
LISTS = {
    "Latin": TOWNS,
    "Cyrillic": ["Москва", "Казань", "Тула", "Рязань", "Пермь", "Омск", "Томск", "Брянск", "Курск", "Орск", "Минск"],
    "Arabic": ["محمد", "فاطمة", "أحمد", "عائشة", "يوسف", "مريم", "خالد", "سعاد", "حسن", "ليلى", "سالم"],
    "Japanese": ["さくら", "はるか", "ゆうき", "みさき", "あおい", "ひなた", "まゆみ", "かおり", "たけし", "ひろし"],
    "emoji": ["🍎🍐", "🍐🍊", "🍊🍋", "🍋🍌", "🍌🍉", "🍉🍇", "🍇🍎", "🍓🍎", "🍒🍐"],
}


@pytest.fixture(scope="module", params=["chromium", "firefox"])
def browser(request):
    require(request.param)
    with (chromium if request.param == "chromium" else firefox)() as each:
        yield each


@pytest.fixture(scope="session")
def learner(tmp_path_factory):
    path = tmp_path_factory.mktemp("learner") / "makemore.html"
    page.write_learner(path)
    return path


@pytest.fixture
def opened(browser, learner):
    """The page, opened, with the first model of its first example; then nothing was asked for, and no console line."""
    open_page(browser, learner)
    yield browser
    console, asked = browser.logs()
    assert console == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []


def open_page(browser, learner, fragment="", width=1200):
    """Opens the page, and stops it after the first model, as most tests want: the better one takes seconds."""
    browser.visit(learner, fragment, width)
    first_words(browser)


def first_words(browser):
    """Waits for the first model, or for a message in its place; leaves out the second."""
    browser.wait("($('stage').textContent === say('stage_first') || $('way').hidden) && $('progress').hidden")
    if browser.run("if (learning) stopLearning(); return true"):
        browser.finished()


def learn(browser, text):
    """Writes a list into the page, and presses the button."""
    browser.run("$('list').value = arguments[0]; $('list').dispatchEvent(new InputEvent('input'))", text)
    browser.run("$('learn-go').click()")
    first_words(browser)


def learn_file(browser, path):
    before = browser.run("return task")
    browser.choose_file("#file", path)
    browser.wait(f"task > {before}")
    first_words(browser)


def say(key, **values):
    return page.texts()["learn"][key].format(**values)


def learned(browser):
    """How many words were learned, as the card has it."""
    return browser.run("return data.learned")


def test_words_are_there_at_once_and_an_example_is_one_press(opened):
    assert learned(opened) == 42
    assert len(opened.words()) == 20
    names = opened.run("return [...document.querySelectorAll('#examples button')].map((each) => each.textContent)")
    assert len(names) == 5
    for place in range(1, 5):
        opened.run("document.querySelectorAll('#examples button')[arguments[0]].click()", place)
        first_words(opened)
        listed = opened.run("return $('list').value").split("\n")
        assert len(opened.words()) == 20
        assert set("".join(opened.words())) <= set("".join(listed))
        assert opened.run("return document.querySelectorAll('#examples [aria-pressed=true]').length") == 1


@pytest.mark.parametrize("script", LISTS)
def test_a_pasted_list_gives_words_of_its_characters(opened, script):
    words = LISTS[script]
    learn(opened, "\n".join(words))
    made = opened.words()
    assert len(made) == 20
    assert set("".join(made)) <= set("".join(words))
    assert learned(opened) == len(words)
    opened.type(words[0])
    assert opened.run("return typedWord.tokens.length") == len(words[0])


PASTE = """const list = $('list');
list.value = arguments[0];
list.dispatchEvent(new InputEvent('input', {inputType: 'insertFromPaste'}));"""


def test_a_list_that_is_pasted_is_learned_at_once(opened):
    opened.run(PASTE, "\n".join(TOWNS))
    first_words(opened)
    assert learned(opened) == len(TOWNS)


def test_a_dropped_file_is_learned(opened):
    opened.run("""const held = new DataTransfer(); held.items.add(new File([arguments[0]], 'mine.txt'));
        document.body.dispatchEvent(new DragEvent('drop', {bubbles: true, cancelable: true, dataTransfer: held}))""",
        "\n".join(TOWNS))  # fmt: skip
    opened.wait("$('list').value.startsWith('Abham')")
    first_words(opened)
    assert learned(opened) == len(TOWNS)
    assert opened.run("return $('page-title').placeholder") == "mine"


BAD = {
    "": "no words yet",
    " \n\t\n": "no words yet",
    "Rotterdam\n": "“Rotterdam” alone can only be repeated",
    "x" * 10_000 + "\n" + "y" * 10_000: "longer than 200",
}


@pytest.mark.parametrize("text", BAD, ids=["empty", "blank", "one", "long"])
def test_bad_lists_are_answered_in_words_and_lose_nothing(opened, text):
    before = opened.words()
    learn(opened, text)
    assert BAD[text] in opened.text("#learn-trouble")
    assert opened.words() == before
    learn(opened, "\n".join(TOWNS))
    assert opened.text("#learn-trouble") == ""


FILES = {
    "utf-16": ("\n".join(["Zürich", *TOWNS]).encode("utf-16"), 31, "UTF-16"),
    "latin-1": ("\n".join(["Zürich", *TOWNS]).encode("latin-1"), 31, "Windows-1252"),
    "bom": ("\n".join(TOWNS).encode("utf-8-sig"), 30, "A mark at the start"),
    "repeated": ("\n".join([*TOWNS, *TOWNS[:3]]).encode(), 30, "taken once: 3"),
    "long": ("\n".join([*TOWNS, "z" * 10_000]).encode(), 30, "more than 200 characters, left out: 1"),
    "control": ("\n".join([*TOWNS, "ab\x07cd"]).encode(), 31, "Control characters taken out: 1"),
    "picture": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + bytes(range(256)) * 20, 0, "holds no text"),
    "zip": (b"PK\x03\x04\x14\0\x06\0" + bytes(range(256)) * 20, 0, "holds no text"),
}


@pytest.mark.parametrize("kind", FILES)
def test_files_of_every_kind(opened, tmp_path, kind):
    content, words, says = FILES[kind]
    (tmp_path / "list.txt").write_bytes(content)
    learn_file(opened, tmp_path / "list.txt")
    assert says in opened.text("#report" if words else "#learn-trouble")
    assert learned(opened) == words or not words


def test_a_table_offers_its_columns(opened, tmp_path):
    rows = ['"number","town, or so","land"', *(f'{i},"{town}",X{i % 3}' for i, town in enumerate(TOWNS))]
    (tmp_path / "table.csv").write_text("\n".join(rows), encoding="utf-8")
    learn_file(opened, tmp_path / "table.csv")
    assert not opened.run("return $('columns').hidden")
    assert opened.run("return [...$('column').options].map((each) => each.textContent)")[1:] == [
        "number",
        "town, or so",
        "land",
    ]
    opened.run("$('column').value = 2; $('column').dispatchEvent(new Event('change', {bubbles: true}))")
    first_words(opened)
    assert learned(opened) == 30
    assert set("".join(opened.words())) <= set("".join(TOWNS))


def test_a_file_that_is_too_large_or_cannot_be_read_is_refused(opened):
    opened.run("learnFile({size: 65 * 2 ** 20, name: 'x'})")
    assert "64 MiB at most" in opened.text("#learn-trouble")
    opened.run(
        "learnFile({size: 5, name: arguments[0], arrayBuffer: () => Promise.reject(new Error('gone'))})", HOSTILE
    )
    opened.wait("$('learn-trouble').textContent.includes('cannot be read')")


def test_hostile_words_names_and_titles_do_nothing_but_show(opened, tmp_path):
    (tmp_path / "<img src=x>.txt").write_text("\n".join([HOSTILE, f"{HOSTILE}x", *TOWNS]), encoding="utf-8")
    learn_file(opened, tmp_path / "<img src=x>.txt")
    assert learned(opened) == 32
    opened.run("$('page-title').value = arguments[0]", HOSTILE)
    path = opened.saved("html", "save-page")
    assert opened.run("return document.querySelectorAll('main img, main script, main a').length") == 0
    opened.open(path)
    assert opened.text("h1") == HOSTILE
    assert opened.run("return document.querySelectorAll('main img, main script').length") == 0
    assert opened.run("return document.scripts.length") == 5


@pytest.mark.parametrize("script", LISTS)
def test_a_saved_page_makes_the_same_words_again(opened, script):
    opened.run("$('list').value = arguments[0]; learnText()", "\n".join(LISTS[script]))
    opened.finished()
    assert opened.text("#stage") == say(
        "stage_done", words=len(LISTS[script]), characters=len(set("".join(LISTS[script])))
    )
    opened.fill("seed", "7")
    opened.fill("n", "200")
    words = opened.words()
    assert len(words) == 200
    path = opened.saved("html", "save-page")
    opened.open(path, "#seed=7&n=200")
    assert opened.words() == words
    assert opened.run("return typeof learnList") == "undefined"
    assert opened.text("#lede").startswith(f"New words, made up after a list of {len(LISTS[script])} words.")
    opened.fill("new", "1")
    assert not set(opened.words()) & set(LISTS[script])


def test_a_page_saved_without_the_filter_holds_none(opened):
    opened.run("$('with-filter').checked = false")
    text = opened.saved("html", "save-page").read_text(encoding="utf-8")
    assert '"known":null' in text
    assert "Ravenscar" not in text


def test_a_link_holds_settings_and_an_example_but_never_the_list(opened, learner):
    opened.run("document.querySelectorAll('#examples button')[1].click()")
    first_words(opened)
    opened.fill("seed", "5")
    words, fragment = opened.words(), opened.run("return location.hash")
    assert fragment == "#seed=5&example=dragons"
    open_page(opened, learner, fragment)
    assert opened.words() == words
    learn(opened, "\n".join(TOWNS))
    assert opened.run("return location.hash") == "#seed=5"


def test_the_list_is_kept_only_if_asked(opened, learner):
    learn(opened, "\n".join(TOWNS))
    assert opened.run("return localStorage.length") == 0
    opened.run("$('keep').click()")
    assert "learned again" in opened.text("#kept")
    open_page(opened, learner)
    assert opened.run("return $('list').value") == "\n".join(TOWNS)
    assert learned(opened) == len(TOWNS)
    opened.run("$('keep').click()")
    assert opened.text("#kept") == "Forgotten."
    open_page(opened, learner)
    assert learned(opened) == 42


def test_storage_that_is_forbidden_is_said(opened):
    opened.run("""Object.defineProperty(window, 'localStorage',
        {configurable: true, get() { throw new DOMException('no', 'SecurityError'); }});
        $('keep').click()""")  # fmt: skip
    assert "lets the page keep nothing" in opened.text("#kept")
    assert not opened.run("return $('keep').checked")
    learn(opened, "\n".join(TOWNS))
    assert learned(opened) == len(TOWNS)


def test_without_workers_the_page_learns_the_same(opened):
    learn(opened, "\n".join(TOWNS))
    words = opened.words()
    opened.run("teacher.terminate(); teacher = null; window.Worker = function () { throw new Error('refused'); };")
    learn(opened, "\n".join(TOWNS))
    assert opened.run("return teacher") == "page"
    assert opened.words() == words


def test_learning_can_be_stopped_and_a_list_is_not_lost_unasked(opened):
    asks = "const asked = new Event('beforeunload', {cancelable: true}); return !dispatchEvent(asked)"
    assert not opened.run(asks)
    opened.run("$('list').value = arguments[0]; learnText()", "\n".join(TOWNS * 20))
    assert opened.run("return learning && !$('way').hidden")
    assert opened.run(asks)
    opened.run("$('learn-stop').click()")
    assert opened.text("#stage").startswith("Stopped")
    assert opened.run("return $('way').hidden && $('list').value.length > 100")
    assert not opened.run(asks)


def test_the_losses_are_shown_in_words_for_everyone(opened):
    opened.run("$('list').value = arguments[0]; learnText()", "\n".join(TOWNS))
    opened.finished()
    names = opened.run("return [...document.querySelectorAll('#bars bdi')].map((each) => each.textContent)")
    assert names == ["Blind guess", "Counting alone", "This model"]
    many = opened.run("return [...document.querySelectorAll('#bars small')].map((each) => Number(each.textContent))")
    assert many[0] > many[1] >= many[2] > 1
    assert "±" in opened.text("#held-out")


def test_every_control_works_by_keyboard(opened):
    reached = []
    while "word" not in reached and len(reached) < 200:
        opened.press("\ue004")
        reached.append(opened.run("const e = document.activeElement; return e.id || e.name || e.className"))
    missed = {"list", "learn-go", "open", "dragons", "next", "copy", "keep", "with-filter", "save-page", "save-model"}
    assert missed - set(reached) == set()
    if not hasattr(opened, "driver"):
        return  # a headless Firefox has no focus of the system, without which keys press no button
    opened.run("document.querySelector('[name=dragons]').focus()")
    opened.press("\ue007")
    opened.wait("lesson.example === 'dragons'")
    first_words(opened)
    assert learned(opened) == 38


UNNAMED = """const named = (each) => each.labels?.length || each.textContent.trim() || each.ariaLabel
  || each.getAttribute('aria-labelledby');
const fields = [...document.querySelectorAll('input, textarea, select, button, progress')];
return fields.filter((each) => !named(each)).map((each) => each.outerHTML);"""


def test_what_changes_is_announced_and_every_field_has_a_name(opened):
    live = opened.run("return [...document.querySelectorAll('[role=status], [role=alert]')].map((each) => each.id)")
    assert {"stage", "learn-trouble", "status", "kept", "taken", "refused"} <= set(live)
    assert opened.run(UNNAMED) == []


@pytest.mark.parametrize("width", [320, 360, 1200])
def test_nothing_is_wider_than_the_screen(opened, learner, width):  # 320: a screen of 1280 at 400%
    open_page(opened, learner, width=width)
    opened.run("$('settings').open = $('more').open = true")
    assert opened.run("return document.documentElement.scrollWidth") <= width


BOTTOMS = "return [...document.querySelectorAll('#words li')].map((each) => each.getBoundingClientRect().bottom)"


def test_words_stand_on_the_first_screen_of_a_phone(opened, learner):
    open_page(opened, learner, width=360)
    assert sum(bottom < 800 for bottom in opened.run(BOTTOMS)) >= 4


def axe(browser):
    """What axe finds, as (rule, impact, element)."""
    source = pytest.importorskip("axe_core_python.base").AXE_FILE_PATH
    browser.run(Path(source).read_text(encoding="utf-8") + "; window.axe = axe;")
    result = browser.run("return axe.run()")
    assert len(result["passes"]) > 20
    return [(each["id"], each["impact"], each["nodes"][0]["html"]) for each in result["violations"]]


@pytest.mark.parametrize("width", [360, 1200])
def test_axe_finds_no_violation(opened, learner, width):
    open_page(opened, learner, width=width)
    learn(opened, "")
    opened.run("$('settings').open = $('more').open = true; $('way').hidden = false; judged(arguments[0])", {
        "losses": {"uniform": 3.3, "ngram": {"nll": 2.4, "stderr": 0.1}, "product": None},
        "heldOut": {"words": 30, "how": "folds"}, "prior": "used",
    })  # fmt: skip
    assert axe(opened) == []


@pytest.fixture
def emulated(browser):
    """emulated(languages, **features): what Chromium tells a page of its reader, until the test ends."""
    if not hasattr(browser, "driver"):
        pytest.skip("Chromium's protocol sets it")

    def told(languages="en", **features):
        agent = browser.run("return navigator.userAgent")
        command = browser.driver.execute_cdp_cmd
        command("Emulation.setUserAgentOverride", {"userAgent": agent, "acceptLanguage": languages})
        wanted = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        command("Emulation.setEmulatedMedia", {"features": wanted})

    yield told
    told()


@pytest.mark.parametrize("language", [each for each in LANGUAGES if each != "en"])
def test_the_browser_chooses_the_language(browser, emulated, learner, language):
    emulated(f"xx,{language}-{language.upper()},en", prefers_color_scheme="dark", prefers_reduced_motion="reduce")
    open_page(browser, learner, width=360)
    text = page.texts(language)
    assert browser.run("return document.documentElement.lang") == language
    assert browser.run("return document.documentElement.dir") == ("rtl" if language == "ar" else "ltr")
    assert browser.text("h1") == text["learn"]["learn_title"]
    assert browser.text("#learn-go") == text["learn"]["learn_go"]
    assert browser.text("#next") == text["page"]["next"]
    assert browser.run("return document.documentElement.scrollWidth") <= 360
    assert axe(browser) == []
    saved = browser.saved("html", "save-page")
    assert browser.run("return document.querySelectorAll('html[lang]').length") == 1
    emulated("en")
    browser.open(saved)
    assert browser.text("#next") == "Make more"  # the reader's language, not the maker's


def test_an_alphabet_of_many_characters_is_shown_without_a_wait(opened):
    words = [chr(0x4E00 + 7 * i) + chr(0x4E00 + 11 * i % 3000) for i in range(1, 1200)]
    learn(opened, "\n".join(words))
    assert len(opened.words()) == 20
    if opened.run("return PerformanceObserver.supportedEntryTypes.includes('longtask')"):
        assert opened.longest_task(lambda: opened.task("pictures(); typed();")) < 100


def test_the_command_that_is_shown_makes_the_words_from_the_saved_model(opened, tmp_path):
    from typer.testing import CliRunner

    from mm_jax.tool.arguments import application

    opened.run("$('list').value = arguments[0]; learnText()", "\n".join(TOWNS))
    opened.finished()
    opened.fill("n", "100")
    opened.fill("seed", "3")
    saved = opened.saved("safetensors", "save-model")
    shown = opened.text("#command")
    assert shown.startswith("mm-jax sample 'New words.safetensors' -n 100 ")
    options = shown.partition("' ")[2].split()
    done = CliRunner().invoke(application([]), ["sample", str(saved), *options, "--json"])
    assert json.loads(done.stdout)["words"] == opened.words()


@pytest.mark.alone
def test_learning_a_long_list_keeps_every_task_short(browser, learner):
    if not hasattr(browser, "driver"):
        pytest.skip("Firefox reports no long tasks")
    open_page(browser, learner)
    ends = ["ford", "ham", "wick", "ton", "by", "ley", "mere", "combe", "stead", "well"]
    words = [f"{a}{b}{c}{end}" for a in "BCDFGHJKLM" for b in "aeiou" for c in "bdfgklmnprstvwxz" for end in ends]
    words = [f"{word}{more}" for word in words for more in ("", "s", "en", "a")][:30_000]
    assert len(set(words)) == 30_000

    def learn_all():
        browser.run("""const held = new DataTransfer(); held.items.add(new File([arguments[0]], 'long.txt'));
            const event = new DragEvent('drop', {bubbles: true, cancelable: true, dataTransfer: held});
            setTimeout(() => document.body.dispatchEvent(event))""", "\n".join(words))  # fmt: skip
        browser.wait("learning")
        browser.finished()

    assert browser.longest_task(learn_all) < 100
    assert learned(browser) == 30_000
