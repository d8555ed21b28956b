"""Puts the parts of a page together: markup, style, texts, scripts, data and weights, in one file."""

import base64
import hashlib
import html
import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import mm_jax
from mm_jax.page import learning

GENERATOR = f"mm_jax {mm_jax.__version__}"
_FOLDER = Path(__file__).parent
LANGUAGES = sorted(path.stem for path in (_FOLDER / "text").glob("*.json"))
_ENGINE = [f"engine/{name}.js" for name in ("random", "contract", "known", "sampling", "ranking")]
_INTERFACE = [f"interface/{name}.js" for name in ("dom", "workers", "look", "type", "make", "about", "main")]
_LEARNER = [f"interface/{name}.js" for name in ("take", "learn", "start")]
_LEARNED = [f"models/{name}.js" for name in ("ngram", "gru", "product")]  # the models that a page learns


def texts(language: str = "en") -> dict[str, Any]:
    """Reads all text of a page, by part and name: text/en.json."""
    return json.loads((_FOLDER / "text" / f"{language}.json").read_text(encoding="utf-8"))


def page(data: Mapping[str, Any], weights: bytes, models: Sequence[Path], title: str, *, learn: bool) -> str:
    """Returns the HTML of a page that shows a model, or none as yet; `learn` adds the part that learns.

    `data` is what the scripts read of the model, and `models` are the JavaScript files of its class. A page that learns
    holds the skeleton of an ordinary one, which it fills to save what it learned.
    """
    shown = [path.relative_to(_FOLDER).as_posix() for path in models]
    engine = script([*_ENGINE, *dict.fromkeys(shown + (_LEARNED if learn else [])), "engine/worker.js"])
    interface, style = script(_INTERFACE), tight(_read("style.css"))
    fixed = {"generator": html.escape(GENERATOR), "trouble": html.escape(texts()["trouble"])}
    title = "".join(" " if unicodedata.category(char) == "Cc" else char for char in title)  # HTML has none
    own = {"title": html.escape(title), "style": style, "engine": engine, "interface": interface}
    own |= {
        "texts": _texts("page", *(["words"] if data.get("units") == "words" else [])),
        "weights": base64_of(weights),
    }
    plain: dict[str, str] = dict.fromkeys(("learn", "take", "learner_data", "learner"), "")
    plain["policy"] = _policy([engine, interface], style)
    if not learn:
        return _filled(_read("page.html"), {**fixed, **plain, **own, "data": _json(data)})
    examples = json.loads(_read("examples.json"))
    data = {**data, "learner": {"examples": examples, "kinds": learning.kinds(), "headings": learning.headings()}}
    scripts = {"learner": script(learning.SCRIPTS), "learner-interface": script(_LEARNER)}
    blocks = {"prior": base64_of(learning.prior()), "learner-texts": _texts("learn")}
    blocks["skeleton"] = _json(_filled(_read("page.html"), fixed | plain))
    added = {
        "learn": _read("learn.html"),
        "take": _read("take.html"),
        "learner_data": "\n".join(
            f'<script type="text/plain" id="{name}">{text}</script>' for name, text in blocks.items()
        ),
        "learner": "\n".join(f'<script id="{name}">{source}</script>' for name, source in scripts.items()),
        "policy": _policy([engine, interface, *scripts.values()], style),
    }
    return _filled(_read("page.html"), {**fixed, **added, **own, "data": _json(data)})


def _read(name: str) -> str:
    return (_FOLDER / name).read_text(encoding="utf-8")


def _filled(template: str, values: Mapping[str, str]) -> str:
    """Fills the slots `{{name}}` that have a value; leaves the others."""
    return re.sub(r"\{\{(\w+)\}\}", lambda slot: values.get(slot[1], slot[0]), template)


def _policy(scripts: Sequence[str], style: str) -> str:
    """Returns the content security policy: no request, and no script or style but these."""
    policy = (
        f"default-src 'none'; script-src {' '.join(map(_hash, scripts))}; style-src {_hash(style)}; "
        "worker-src blob:; img-src data:; base-uri 'none'; form-action 'none'"
    )
    return html.escape(policy)


def _texts(*parts: str) -> str:
    """Returns parts of the texts in all languages, as JSON; what stands in two is taken from the last."""
    found = {language: texts(language) for language in LANGUAGES}
    merged = {
        language: {key: text for part in parts for key, text in each[part].items()} for language, each in found.items()
    }
    return _json(merged, ensure_ascii=False)


def script(names: Sequence[str]) -> str:
    """Joins files of JavaScript, which are modules, to one script: a page may not load them from one another."""
    return '"use strict";\n' + "".join(scope(_read(name)) for name in names)


def scope(module: str) -> str:
    """Makes a block of a JavaScript module. What it exports becomes global; the rest stays in the block.

    A variable that changes is exported by a line of its own, `export let a, b;`.

    >>> print(scope('import { b } from "./b.js";\\nexport const a = b;\\nconst c = a;\\n'), end="")
    {
    const a=b;
    const c=a;
    Object.assign(globalThis, { a });
    }
    """
    names = re.findall(r"^export (?:const|class|(?:async )?function\*?) ([\w$]+)", module, re.MULTILINE)
    own = re.sub(r"^import [^;]*;\n", "", module, flags=re.MULTILINE)
    own = re.sub(r"^export ", "", re.sub(r"^export let ", "var ", own, flags=re.MULTILINE), flags=re.MULTILINE)
    exports = f"Object.assign(globalThis, {{ {', '.join(names)} }});\n" if names else ""
    return f"{{\n{dense(tight(own))}{exports}}}\n"


def tight(source: str) -> str:
    """Removes indentation, and comments: `//` and a blank, at the begin of a line or behind a blank."""
    lines = (re.sub(r"(^|\s+)// .*", "", line.strip()) for line in source.splitlines())
    return "".join(f"{line}\n" for line in lines if line)


def dense(script: str) -> str:
    """Removes blanks beside punctuation, in lines of JavaScript that hold no string, template, division or pattern."""
    lines = script.splitlines(keepends=True)
    return "".join(
        line if re.search("[\"'`/]", line) else re.sub(r" ?([=<>?:,;{}()*|&\[\]]+) ?", r"\1", line) for line in lines
    )


def _json(value: Any, *, ensure_ascii: bool = True) -> str:
    """Writes JSON that cannot end a script element: escapes `<`."""
    text = json.dumps(value, ensure_ascii=ensure_ascii, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")


def base64_of(content: bytes) -> str:
    """Encodes bytes in base 64."""
    return base64.b64encode(content).decode("ascii")


def _hash(source: str) -> str:
    """Returns the source expression by which a content security policy allows this very script or style."""
    return f"'sha256-{base64_of(hashlib.sha256(source.encode('utf-8')).digest())}'"
