"""What can be said of a page without a browser: its parts, its size, what is refused."""

import base64
import hashlib
import json
import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mm_jax
from mm_jax import page
from mm_jax.models.contract import num_params
from mm_jax.page import bloom, markup, pack
from mm_jax.page.markup import LANGUAGES

from ..conftest import slow
from .kinds import KINDS, VOCAB, WORDS, model

FOLDER = Path(page.__file__).parent


def parts(path):
    text = path.read_text(encoding="utf-8")
    inside = re.findall(r"<(style|script)([^>]*)>(.*?)</\1>", text, re.DOTALL)
    return text, {(kind, attributes.strip()): content for kind, attributes, content in inside}


def data_of(path):
    return json.loads(parts(path)[1]["script", 'type="application/json" id="data"'])


def test_the_policy_allows_its_own_script_and_style_alone(tmp_path):
    page.write(model("mlp"), tmp_path / "x.html")
    text, inside = parts(tmp_path / "x.html")
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1].replace("&#x27;", "'")
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy and "http" not in policy
    run = [inside["script", 'id="engine"'], inside["script", 'id="interface"'], inside["style", 'id="style"']]
    hashes = [base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in run]
    assert re.findall(r"sha256-([^']+)'", policy) == hashes
    assert "{{" not in text
    assert not re.search(r"""(src|href)=["']?(https?:|//)""", text)


SOME = ["mlp", "ngram", "transformer"]


@pytest.mark.parametrize("kind", [*SOME, *slow(kind for kind in KINDS if kind not in SOME)])
def test_every_array_is_in_the_page(tmp_path, kind):
    params = model(kind)
    arrays, block = pack.packed(params)
    dtypes = {"f4": "<f4", "f2": "<f2"}
    total = 0
    for (_, leaf), (name, each) in zip(
        sorted(mm_jax.checkpoint.tree_to_arrays(params).items()), sorted(arrays.items()), strict=True
    ):
        dtype = np.dtype(dtypes.get(each["dtype"], f"<{each['dtype']}"))
        found = np.frombuffer(block, dtype, int(np.prod(each["shape"], dtype=int)), each["at"]).reshape(each["shape"])
        assert (found == leaf).all(), name
        assert each["at"] % dtype.itemsize == 0
        total += found.size
    assert total == num_params(params)


def test_every_kind_of_model_has_its_javascript():
    registered = re.compile(r'^(?:model|combination)\("(\w+)"', re.MULTILINE)
    kinds = {registered.search(path.read_text())[1] for path in (FOLDER / "models").glob("*.js")}
    models = [model(kind) for kind in KINDS]
    models += [member for each in models for member in getattr(each, "members", ())]
    assert kinds == {type(each).__name__ for each in models}
    for path in (FOLDER / "models").glob("*.js"):
        assert f"mm_jax/models/{path.stem}.py" in path.read_text().splitlines()[0]


def test_all_text_is_used_and_in_one_place():
    text = page.texts()
    markup = "".join((FOLDER / name).read_text(encoding="utf-8") for name in ("page.html", "learn.html", "take.html"))
    code = "".join(path.read_text(encoding="utf-8") for path in FOLDER.rglob("*.js"))
    said = set(re.findall(r'data-(?:text|label|hint)="(\w+)"', markup)) | set(re.findall(r'say\("(\w+)"', code))
    parts = {**text["page"], **text["learn"]}
    assert said <= set(parts)
    families = re.findall(r"`(\w+_)\$\{", code)
    troubles = set(re.findall(r'new Trouble\("(\w+)"', code))
    unused = [key for key in parts if key not in said and key not in troubles and f'"{key}"' not in code]
    assert [key for key in unused if not key.startswith(tuple(families))] == []
    assert re.findall(r">\s*[A-Za-z][^<{]*<", markup.split("<body>")[1]) == []  # no English in the markup


def slots(text):
    return sorted(re.findall(r"\{(\w+)\}", text))


@pytest.mark.parametrize("language", [each for each in LANGUAGES if each != "en"])
def test_every_language_says_everything(language):
    english, other = page.texts(), page.texts(language)
    for part in ("page", "learn"):
        assert list(other[part]) == list(english[part])
        for key, text in english[part].items():
            assert slots(other[part][key]) == slots(text), key
            assert other[part][key].strip()
    assert list(other["words"]) == list(english["words"])
    for key, text in other["words"].items():  # where symbols are words
        assert slots(text) == slots(other["page"][key]) and text != other["page"][key]
    same = [
        key for key in english["page"] if english["page"][key] == other["page"][key] and len(english["page"][key]) > 8
    ]
    assert len(same) <= 2  # the names of things, but no sentence


@pytest.mark.slow
def test_sizes(tmp_path):
    def size(*folders):
        files = [path for folder in folders for path in (FOLDER / folder).glob("*.js")]
        return sum(len(markup.scope(path.read_text(encoding="utf-8")).encode()) for path in files)

    assert size("engine", "models", "learn") <= 69 * 1024
    assert size("interface") <= 42 * 1024
    page.write_learner(tmp_path / "learner.html")
    assert (tmp_path / "learner.html").stat().st_size <= 900 * 1000
    mlp = mm_jax.mlp.init(jax.random.key(0), mm_jax.Vocab(".abcdefghijklmnopqrstuvwxyz"))
    page.write(mlp, tmp_path / "mlp.html", words=WORDS)
    assert num_params(mlp) == 11_897
    assert (tmp_path / "mlp.html").stat().st_size <= 200 * 1000  # a third of it the texts in eight languages
    gru = mm_jax.gru.init(jax.random.key(0), mlp.vocab)
    page.write(gru, tmp_path / "gru.html", words=WORDS, half=True)
    assert num_params(gru) == 225_307
    assert (tmp_path / "gru.html").stat().st_size <= 790 * 1000


def test_quantiles_not_words_are_in_the_page(tmp_path):
    secret = "qzxqzxqzx"
    words = [*WORDS, secret]
    vocab = mm_jax.Vocab.from_words(words)
    params = mm_jax.counts.fit(words, vocab)
    page.write(params, tmp_path / "x.html", words=words, with_words=True)
    assert secret not in (tmp_path / "x.html").read_text()
    data = data_of(tmp_path / "x.html")
    sums, lengths = mm_jax.evaluation.word_nlls(params, words)
    means = np.sort(sums / lengths)
    assert len(data["quantiles"]) == 101
    assert abs(data["quantiles"][0] - means[0]) < 1e-3 and abs(data["quantiles"][100] - means[-1]) < 1e-3
    assert abs(data["quantiles"][50] - means[len(means) // 2]) < 0.02
    page.write(params, tmp_path / "y.html")
    assert data_of(tmp_path / "y.html")["quantiles"] is None and data_of(tmp_path / "y.html")["known"] is None


@pytest.mark.slow
def test_the_filter_knows_its_words_and_few_others():
    made = bloom.make(WORDS)
    assert made.words == len(set(WORDS))
    assert bloom.select(made, WORDS) == WORDS
    rng = np.random.default_rng(0)
    letters = np.array(list("abcdefghijklmnopqrstuvwxyz"))
    others = {"".join(word) for word in rng.choice(letters, (40_000, 9))} - set(WORDS)
    rate = len(bloom.select(made, sorted(others))) / len(others)
    assert abs(rate - made.error_rate) < 5 * (made.error_rate / len(others)) ** 0.5
    assert made.error_rate < 0.004
    assert len(made.bits) == -(-12 * made.words // 8)


@pytest.mark.slow
def test_the_same_model_makes_the_same_page(tmp_path):
    for name in ("a", "b"):
        page.write(model("mixture"), tmp_path / f"{name}.html", words=WORDS, with_words=True, half=True)
    assert (tmp_path / "a.html").read_bytes() == (tmp_path / "b.html").read_bytes()


def test_half_is_rounding():
    params = pack.rounded(model("mlp"))
    assert np.array_equal(params.W1, np.asarray(model("mlp").W1).astype(np.float16).astype(np.float32))
    arrays, block = pack.packed(params, half=True)
    first = np.frombuffer(block, "<f2", params.W1.size, arrays["W1"]["at"]).astype(np.float32)
    assert (first == np.asarray(params.W1).reshape(-1)).all()
    assert len(block) < 0.51 * len(pack.packed(params)[1])
    big = mm_jax.Bigram(W=jnp.full((3, 3), 1e5, jnp.float32), vocab=mm_jax.Vocab(".ab"))
    with pytest.raises(ValueError, match="too large for half precision"):
        pack.rounded(big)


def test_an_existing_file_is_kept(tmp_path):
    path = tmp_path / "x.html"
    path.write_text("mine")
    with pytest.raises(ValueError, match="exists"):
        page.write(model("counts"), path)
    assert path.read_text() == "mine"
    page.write(model("counts"), path, overwrite=True)
    assert path.read_text().startswith("<!DOCTYPE html>")
    with pytest.raises(ValueError, match="is a folder"):
        page.write(model("counts"), tmp_path, overwrite=True)


def test_a_path_that_cannot_be_written_leaves_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError):
        page.write(model("counts"), tmp_path / "file" / "x.html")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_a_model_of_your_own_is_refused(tmp_path):
    def apply(variables, tokens):
        return variables["W"][tokens]

    mine = mm_jax.network.wrap(apply, {"W": jnp.zeros((len(VOCAB), len(VOCAB)))}, VOCAB)
    with pytest.raises(ValueError, match=r"cannot show .* it knows the models .*mlp"):
        page.write(mine, tmp_path / "x.html")
    with pytest.raises(ValueError, match="not a model"):
        page.write({"W": jnp.zeros(3)}, tmp_path / "x.html")
    assert list(tmp_path.iterdir()) == []


def test_a_page_that_is_too_large_says_what_helps(tmp_path, monkeypatch):
    monkeypatch.setattr(page, "MAX_BYTES", 6000)
    with pytest.raises(ValueError, match=r"would have 0\.\d MiB.*half precision"):
        page.write(model("mlp"), tmp_path / "x.html")
    with pytest.raises(ValueError, match="smaller model"):
        page.write(model("mlp"), tmp_path / "x.html", half=True)
    assert list(tmp_path.iterdir()) == []


def test_the_command_makes_a_model_that_is_too_large_smaller_and_says_what_it_costs(tmp_path, monkeypatch, capsys):
    from typer.testing import CliRunner

    from mm_jax.page.fitting import fitted, highest_order
    from mm_jax.tool import commands
    from mm_jax.tool.arguments import application

    (tmp_path / "list.txt").write_text("\n".join(WORDS[:300]), encoding="utf-8")
    command = ["train", str(tmp_path / "list.txt"), "--model", "ngram", "--order", "6", "--out", str(tmp_path / "run")]
    assert CliRunner().invoke(application(command), command).exit_code == 0
    whole = mm_jax.load(tmp_path / "run" / "model.safetensors")
    monkeypatch.setattr(page, "MAX_WEIGHTS", len(pack.packed(whole, half=True)[1]) - 1)
    usual = {"with_words": False, "half": False, "learn": False, "overwrite": False}
    commands.write_page(tmp_path / "run", tmp_path / "x.html", None, **usual)
    said = capsys.readouterr().err
    assert "half precision, n-grams up to order 5 in place of 6: dev" in said
    split = mm_jax.split_words(WORDS[:300])
    small, half = fitted(whole, page.MAX_WEIGHTS, words=split.train)
    assert half and highest_order(small) == 5
    rows = mm_jax.evaluate(pack.rounded(small), split.dev)
    assert rows.nll < mm_jax.evaluate(pack.rounded(fitted(whole, page.MAX_WEIGHTS)[0]), split.dev).nll
    assert f"dev {rows.nll:.4f} in place of" in said
    assert len(data_of(tmp_path / "x.html")["model"]["fields"]["levels"]) == 5
    mixture = model("mixture")
    assert highest_order(mixture) == 5 and highest_order(fitted(mixture, 1)[0]) == 2
    assert highest_order(model("mlp")) == 0 and fitted(model("mlp"), 1) == (model("mlp"), True)


def test_with_words_needs_words(tmp_path):
    with pytest.raises(ValueError, match="needs words"):
        page.write(model("counts"), tmp_path / "x.html", with_words=True)


def test_nothing_can_end_the_data(tmp_path):
    vocab = mm_jax.Vocab(".</script>\u2028'\"&")
    page.write(
        mm_jax.bigram.init(jax.random.key(0), vocab),
        tmp_path / "x.html",
        title="</title><script>",
        card={"<": "</script>"},
    )
    text, inside = parts(tmp_path / "x.html")
    assert len(inside) == 6
    data = inside["script", 'type="application/json" id="data"']
    assert "<" not in data and data.isascii()
    assert json.loads(data)["vocab"] == vocab.chars
    assert "&lt;/title&gt;&lt;script&gt;" in text


def test_the_command_refuses_before_it_works(tmp_path):
    from mm_jax.tool import commands

    usual = {"with_words": False, "half": False, "learn": False, "overwrite": False}
    out = tmp_path / "x.html"
    with pytest.raises(ValueError, match="is no run folder"):
        commands.write_page(tmp_path, out, None, **usual)
    with pytest.raises(ValueError, match="RUN, or give --learn"):
        commands.write_page(None, out, None, **usual)
    with pytest.raises(ValueError, match="name a RUN"):
        commands.write_page(None, out, None, **usual | {"learn": True, "half": True})
    out.write_text("mine")
    for folder in (tmp_path, None):
        with pytest.raises(ValueError, match="--overwrite"):
            commands.write_page(folder, out, None, **usual | {"learn": True})
    assert out.read_text() == "mine"


def test_the_page_that_learns_is_one_file_and_allows_its_own_scripts_alone(tmp_path):
    from typer.testing import CliRunner

    from mm_jax.tool.arguments import application

    path = tmp_path / "makemore.html"
    assert CliRunner().invoke(application(["page"]), ["page", "--learn", "--out", str(path)]).exit_code == 0
    text, inside = parts(path)
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)[1].replace("&#x27;", "'")
    run = [content for (kind, attributes), content in inside.items() if kind == "style" or "type=" not in attributes]
    hashes = {base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in run}
    assert set(re.findall(r"sha256-([^']+)'", policy)) == hashes and len(hashes) == 5
    assert policy.startswith("default-src 'none'; ") and "unsafe" not in policy and "http" not in policy
    assert not re.search(r"""(src|href)=["']?(https?:|//)""", text)
    skeleton = json.loads(inside["script", 'type="text/plain" id="skeleton"'])
    assert set(re.findall(r"\{\{(\w+)\}\}", skeleton)) == {
        "title", "style", "weights", "data", "texts", "engine", "interface",
    }  # fmt: skip
    assert path.stat().st_size <= 900_000


def test_the_examples_are_lists_of_their_own():
    examples = json.loads((FOLDER / "examples.json").read_text(encoding="utf-8"))
    assert len(examples) == 5
    for name, words in examples.items():
        assert 25 <= len(words) <= 50 and len(set(words)) == len(words), name
        assert f"example_{name}" in page.texts()["learn"]


def test_the_example_is_what_the_command_writes(tmp_path):
    page.write_learner(tmp_path / "makemore.html")
    kept = Path(__file__).parents[2] / "examples" / "makemore.html"
    same = (tmp_path / "makemore.html").read_bytes() == kept.read_bytes()
    assert same, "write it anew: mm-jax page --learn --out examples/makemore.html --overwrite"


def test_every_script_is_a_module():
    """Each import names what its file exports; an exported name is global in a page, so it stands for one thing."""
    exported, owners = {}, {}
    for path in FOLDER.rglob("*.js"):
        source = path.read_text(encoding="utf-8")
        kinds = r"^export (?:const|let|class|(?:async )?function\*?) ([\w$]+(?:, [\w$]+)*)"
        exported[path] = {name for names in re.findall(kinds, source, re.MULTILINE) for name in names.split(", ")}
        for name in exported[path]:
            assert owners.setdefault(name, path) == path, name
    used = set()
    for path in FOLDER.rglob("*.js"):
        found = re.findall(r'^import \{([^}]+)\} from "([^"]+)";', path.read_text(encoding="utf-8"), re.MULTILINE)
        for names, source in found:
            imported = set(re.findall(r"[\w$]+", names))
            assert imported <= exported[(path.parent / source).resolve()], path
            used |= imported
    tests = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("*.py"))
    assert [name for name in set(owners) - used if not re.search(rf"(?<![\w$]){re.escape(name)}\b", tests)] == []


def test_a_module_becomes_a_block(tmp_path):
    module = 'import {\n  a,\n} from "./a.js";\n\nexport let c, d;\nexport async function f() {}\nconst own = 1;\n'
    scope = markup.scope(module)
    assert "import" not in scope
    assert "export" not in scope
    assert "var c,d;" in scope
    assert "Object.assign(globalThis, { f });" in scope


def test_blanks_stay_where_they_mean_something():
    kept = ['say("a = b");', "const x = `a = ${b}`;", "const half = a / 2;", "let y = text.split(/ = /);"]
    assert [markup.dense(line) for line in kept] == kept
    assert (
        markup.dense("for (const a of [b - -c, typeof d]) { e = a ? .5 : 1; }")
        == "for(const a of[b - -c,typeof d]){e=a?.5:1;}"
    )
