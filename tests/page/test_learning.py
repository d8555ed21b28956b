"""What learns in the page, in Chromium and in Firefox, against Python: split, n-grams, prior, product, words, files."""

import base64
import functools
import json
import random
import re
import unicodedata
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
from typer.testing import CliRunner

import mm_jax
from mm_jax import conditions, page, prior
from mm_jax.learning import plans
from mm_jax.models.product import fit_powers
from mm_jax.page import learning
from mm_jax.prior import adapting, characters
from mm_jax.tool.arguments import app
from mm_jax.words import WordList

from .browser import chromium, require
from .firefox import firefox

pytestmark = pytest.mark.slow


def made(seed, number, first, middle, last):
    """Distinct words of some syllables."""
    draw = random.Random(seed)
    words = dict.fromkeys(
        draw.choice(first) + "".join(draw.choices(middle, k=draw.randrange(3))) + draw.choice(last)
        for _ in range(20 * number)
    )
    return [unicodedata.normalize("NFC", word) for word in list(words)[:number]]


EMOJI = ["🍎", "🍐", "🍊", "👩‍🌾", "🇧🇪", "🍋", "👍🏽", "❤️", "🍉"]
LISTS = {
    "Latin": made(1, 130, ["Ab", "Den", "Él", "Gar", "St. "], ["a", "ing", "e", "or"], ["ham", "ford", "wick", "ĳ"]),
    "Cyrillic": made(2, 40, ["Мо", "Ка", "Ту", "Ёл"], ["ра", "ни", "ё"], ["сква", "нь", "ла", "город"]),
    "Arabic": made(3, 40, ["مح", "فا", "أح", "يو"], ["مد", "طِ", "ا"], ["مة", "سف", "د"]),
    "Japanese": made(4, 40, ["さ", "はる", "東", "ガ"], ["く", "び", "京"], ["ら", "か", "都", "ー"]),
    "emoji": made(5, 40, EMOJI, EMOJI, EMOJI),
    "Hindi": made(7, 40, ["हि", "न", "दि", "क्ष"], ["न्", "म", "स्ते", "ं"], ["दी", "ल्ली", "त", "या"]),
    "600 words": made(6, 600, ["b", "br", "k", "st"], ["a", "ela", "imo", "or", "u"], ["n", "rt", "s", "th", "lla"]),
}


@pytest.fixture(scope="module", params=["chromium", "firefox"])
def browser(request, tmp_path_factory):
    require(request.param)
    path = tmp_path_factory.mktemp("learning") / "makemore.html"
    page.write_learner(path)
    with (chromium if request.param == "chromium" else firefox)() as each:
        each.open(path)
        each.run("prepare({...opening.learner, bytes: decodeBytes($('prior').textContent).buffer})")
        yield each


def learned(browser, content, column=None):
    """All messages about a list, text or bytes, without those of progress."""
    if isinstance(content, bytes):
        browser.run("window.content = decodeBytes(arguments[0]).buffer", base64.b64encode(content).decode())
    else:
        browser.run("window.content = arguments[0]", content)
    browser.run("""window.messages = []; window.shares = []; window.ended = false;
        const tell = (message) => (message.stage ? shares.push(message.share) : messages.push(message));
        learnList({content: window.content, column: arguments[0]}, tell, () => false)
          .then(() => { window.ended = true; });""", column)  # fmt: skip
    browser.wait("window.ended")
    shares = browser.run("return shares")
    assert shares == sorted(shares)
    return browser.run("return messages.map(({ model, weights, ...rest }) => ({...rest, start: model?.start}))")


@functools.cache
def expected(name):
    """What Python makes of a list: the n-grams alone and the product, and the order with its losses."""
    words = WordList.of(LISTS[name])
    order, losses = mm_jax.ngram.choose(plans.folds_of(words.split), words.vocab)
    ngram = mm_jax.ngram.fit(words.split.train, words.vocab, order["order"])
    return words, ngram, list(losses.values()), mm_jax.learn(LISTS[name], jax.random.key(0), "page").params


def saved(browser, path, number) -> Any:
    """The model of a message, saved by the page, and read by Python."""
    text = browser.run(
        """return base64(modelFile(messages[arguments[0]].model, messages[arguments[0]].weights))""", number
    )
    path.write_bytes(base64.b64decode(text))
    return mm_jax.load(path)


WORDS = """const { model, weights } = messages[2], page = opened(model, weights); let last;
for (last of search(page, {n: 1000, seed: 7, temperature: 1, topK: null, prefix: '', suffix: '', contains: '',
  minLength: 0, maxLength: null, new: false, distinct: false, firstCase: '', ...arguments[0]}));
return last.words.map((word) => word[0]);"""


@pytest.mark.parametrize("name", LISTS)
def test_a_list_gives_what_it_gives_in_python(browser, name, tmp_path):
    words, ngram, losses, product = expected(name)
    read, first, last = learned(browser, "\n".join(LISTS[name]))
    assert read["read"]["words"] == len(LISTS[name])
    assert (first["last"], last["last"]) == (False, True)
    assert first["about"]["order"] == mm_jax.ngram.order(ngram)
    np.testing.assert_allclose(first["about"]["orders"], losses, atol=1e-9)
    for one, other in zip(saved(browser, tmp_path / "a", 1).levels, ngram.levels, strict=True):
        for field in ("codes", "first", "tokens"):
            assert (np.asarray(getattr(one, field)) == getattr(other, field)).all()
        np.testing.assert_allclose(one.values, other.values, atol=1e-7)
        np.testing.assert_allclose(one.backoff, other.backoff, atol=1e-7)
    found = saved(browser, tmp_path / "b", 2)
    assert type(found) is type(product) and found.vocab == product.vocab
    nll = mm_jax.evaluate(product, LISTS[name]).nll
    assert mm_jax.evaluate(found, LISTS[name]).nll == pytest.approx(nll, abs=1e-4)
    pairs = zip(browser.run(WORDS, {}), mm_jax.sample(product, jax.random.key(7), 1000, min_length=0), strict=True)
    assert sum(a != b for a, b in pairs) <= 2
    said(last["about"], words, ngram, product)


def said(about, words, ngram, product):
    """Compares what a message says of a list with Python: losses of words held out, steps, powers."""
    held, losses = about["heldOut"], about["losses"]
    assert losses["uniform"] == pytest.approx(np.log(len(words.vocab)))
    if not words.is_short:
        assert held == {"words": len(words.split.test), "how": "test"}
        for loss, model in ((losses["ngram"], ngram), (losses["product"], product)):
            found = mm_jax.evaluate(model, words.split.test)
            assert loss["nll"] == pytest.approx(found.nll, abs=1e-4)
            assert loss["stderr"] == pytest.approx(found.stderr, abs=1e-4)
        return
    found = prior.heads.interpolate(prior.load(), words.split.train, words.vocab, about["order"])
    assert held["how"] == "folds" and about["steps"] == found.steps
    assert losses["ngram"]["nll"] == pytest.approx(found.ngram_nll, abs=1e-4)
    assert losses["product"]["nll"] == pytest.approx(found.nll, abs=1e-4)
    assert [each["power"] for each in about["members"]] == pytest.approx([p for p in found.powers if p], abs=1e-4)


def test_the_command_samples_a_saved_model(browser, tmp_path):
    learned(browser, "\n".join(LISTS["Cyrillic"]))
    saved(browser, tmp_path / "model.safetensors", 2)
    start = browser.run("return messages[2].model.start")
    words = LISTS["Cyrillic"]
    assert start == pytest.approx(conditions.start_of(words))
    call = CliRunner().invoke
    done = call(app, ["sample", str(tmp_path / "model.safetensors"), "-n", "9", "--seed", "5", "--json"])
    options = {"temperature": start["temperature"], "minLength": start["least"], "maxLength": start["longest"]}
    found = browser.run(WORDS, {**options, "n": 9, "seed": 5, "firstCase": start["first_case"]})
    assert json.loads(done.stdout)["words"] == found
    refused = call(app, ["sample", str(tmp_path / "model.safetensors"), "--new"])
    assert refused.exit_code == 1 and "does not hold its list" in str(refused.exception)


def test_the_split_is_that_of_python(browser):
    for n in (1, 2, 5, 6, 7, 64, 1000, 4097):
        words = [f"w{i}" for i in range(n)]
        assert browser.run("return split(arguments[0])", words) == [list(part) for part in WordList.of(words).split]


@pytest.mark.parametrize("name", LISTS)
def test_the_prior_is_restricted_as_in_python(browser, name):
    words = WordList.of(LISTS[name])
    found = browser.run("""const vocab = vocabularyOf(arguments[0]); window.gru = restrict(
        parsed({...opening.learner, bytes: decodeBytes($('prior').textContent).buffer}),
        vocab, tokensOf(arguments[0], vocab)); return [vocab.chars.join(''), vocab.symbols];
        """, LISTS[name])  # fmt: skip
    assert found == [words.vocab.chars, list(words.vocab.symbols)]
    params = prior.restrict(prior.load(), LISTS[name], words.vocab)
    for field in ("C", "b1", "bn", "W2", "b2"):
        array = np.asarray(getattr(params, field))
        found = np.array(browser.run("return Array.from(gru[arguments[0]])", field), np.float64)
        np.testing.assert_allclose(
            found.reshape(array.T.shape).T if field == "W2" else found.reshape(array.shape), array, atol=2e-5
        )


def test_powers_are_those_of_python_where_the_ngrams_rule_a_character_out(browser):
    p = np.array([[[0.5, 0.5, 0.0]], [[0.6, 0.3, 0.1]]], np.float32)
    targets = [0, 0, 0, 1]
    code = """
const rows = arguments[0].map((row) => Float32Array.from(row, Math.log));
return fitPowers([{ rows, at: arguments[1].map(() => 0), targets: arguments[1] }], 3);
"""
    found = browser.run(code, p[:, 0].tolist(), targets)
    with np.errstate(divide="ignore"):
        rows = np.log(p)
    powers, nll = fit_powers(rows, np.zeros(4, int), np.array(targets), adapting.POWERS, adapting.PULL)
    assert found["powers"] == pytest.approx(powers.tolist(), abs=1e-4)
    assert found["nll"] == pytest.approx(nll, rel=1e-5)


def test_the_engine_is_small(browser):
    assert browser.run("return $('engine').textContent.length + $('learner').textContent.length") <= 60 * 1024


def test_each_script_names_the_python_that_it_mirrors():
    folder = Path(page.__file__).parent
    for name in learning.SCRIPTS:
        first = (folder / name).read_text(encoding="utf-8").splitlines()[0]
        for path in re.findall(r"mm_jax/[\w/]+(?:\.py|/)", first):
            assert (folder.parents[1] / path).exists(), path
        assert "mm_jax/" in first


def test_characters_are_of_the_kinds_that_python_knows():
    kinds = learning.kinds()
    for char in "éÉß-. 7Ω日ガ한ا🍎ं":
        ends = {kind: np.cumsum(ranges) for kind, ranges in kinds.items()}
        inside = [kind for kind, each in ends.items() if np.searchsorted(each, ord(char), side="right") % 2]
        known = characters.kind_of(char) in kinds
        assert inside == [characters.kind_of(char)] * known


def kinds_of(messages):
    return {each["kind"]: each["count"] for each in messages[0]["read"]["report"]}


def test_odd_lists_are_taken_and_it_is_said_how(browser):
    names = ["Anna", "Berta", "Clara", "Dora", "Émile"]
    text = "\n".join(names)
    assert kinds_of(learned(browser, text)) == {"few": 5}
    files = {
        "bom": text.encode("utf-8-sig"),
        "utf16": text.encode("utf-16"),
        "latin1": text.encode("latin-1"),
        "blank": text.replace("\n", "\n\n").encode(),
        "blanks": text.replace("\n", " \r\n").encode(),
        "pieces": unicodedata.normalize("NFD", text).encode(),
        "control": text.replace("nn", "n\0n").encode(),
        "repeated": f"{text}\n{text}\n".encode(),
        "long": f"{text}\n{'x' * 10_000}\n".encode(),
        "broken": text.encode() + b"\nna\xffme\n",
        "one_line": text.replace("\n", ", ").encode(),
        "marks": "\n".join(f"{i}. {name}" for i, name in enumerate(names, 1)).encode(),
        "case": f"{text}\nanna".encode(),
    }
    for kind, content in files.items():
        messages = learned(browser, content)
        assert kind in kinds_of(messages), kind
        assert messages[0]["read"]["words"] == 5 + (kind == "case"), kind
        assert messages[-1]["last"] and not any("trouble" in each for each in messages)
    assert kinds_of(learned(browser, files["utf16"])) == {"utf16": 1, "few": 5}


def test_a_table_gives_one_of_its_columns(browser):
    more = "".join(f"C{i},Clara {i},{i}\n" for i in range(10, 30))
    table = f'code,name,count\nA01,"Ann, a",3\nB02,"Ber ""B"" ta",14\n{more}E05\n'
    read = learned(browser, table)[0]["read"]
    assert (read["columns"], read["column"], read["words"]) == (["code", "name", "count"], 2, 22)
    assert {"columns", "header", "short"} <= {each["kind"] for each in read["report"]}
    assert learned(browser, table, column=1)[0]["read"]["words"] == 23
    assert learned(browser, table, column=0)[0]["read"]["words"] == 24
    assert learned(browser, table, column=9)[0]["trouble"] == {"what": "no_column", "column": 9}
    assert learned(browser, "Anna;3\nBerta;4")[0]["read"]["columns"] == ["1", "2"]


@pytest.mark.parametrize(
    ("content", "what"),
    [("", "empty"), (" \n\t\n", "empty"), ("Anna\nAnna\n", "one"), ("x" * 10_000, "long_only"),
     (b"PK\x03\x04" + bytes(100), "binary"), (bytes(range(256)) * 40, "binary")],
)  # fmt: skip
def test_what_holds_no_list_is_refused(browser, content, what):
    messages = learned(browser, content)
    assert [each["trouble"]["what"] for each in messages] == [what]


def test_few_words_and_many(browser):
    for number in (2, 3, 5, 6):
        *_, last = learned(browser, "\n".join(["anna", "ben", "clara", "dora", "emil", "fred"][:number]))
        assert last["last"] and last["about"]["prior"] == (
            "used" if number >= 6 else "few words" if number < 4 else last["about"]["prior"]
        )
    many = "\n".join(f"{i:x}" for i in range(300_000))
    messages = learned(browser, many)
    assert messages[0]["read"]["words"] == 100_000
    assert {"kind": "many", "count": 100_000, "of": 300_000, "examples": []} in messages[0]["read"]["report"]
    assert messages[1]["last"] and messages[1]["about"]["prior"] == "many words"
