"""Makes a static site of what the project says already: README, notebooks, pages that run, docstrings, the log.

    pip install -e '.[site]'
    python examples/site.py --out site      writes site/index.html, and checks every link of it

README.md is the front page; a link to a file of the project becomes one to its page, or to the code host where it has
none. The reference is made of the docstrings, with types and source. A link or an anchor that leads nowhere, and
anything that a page loads from another host, is an error.
"""

import argparse
import inspect
import pkgutil
import re
import shutil
import sys
import tempfile
import tomllib
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from sphinx.application import Sphinx

import mm_jax

ROOT = Path(__file__).resolve().parent.parent
LECTURES = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("examples/lecture_*.ipynb"))
TEXTS = ["README.md", "examples/README.md", *LECTURES, "CHANGELOG.md", "LOG.md", "CONTRIBUTING.md"]
RUNNING = ["examples/makemore.html", "examples/names.html"]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
HOST = PROJECT["urls"]["Homepage"]

CONFIG = {
    "project": PROJECT["name"],
    "version": PROJECT["version"],
    "html_title": f"{PROJECT['name']} {PROJECT['version']}",
    "extensions": ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"],
    "html_theme": "furo",
    "html_copy_source": False,
    "html_show_copyright": False,
    "highlight_language": "none",
    "default_role": "py:obj",  # `name` in a docstring is a link, where there is something of this name
    "myst_heading_anchors": 4,
    "myst_url_schemes": {"http": None, "https": None, "site": "{{path}}"},
    "nb_execution_mode": "off",
    "autodoc_typehints_format": "short",
    "autodoc_default_options": {"members": True},
    "napoleon_use_ivar": True,
    "viewcode_follow_imported_members": False,
    "autodoc_member_order": "bysource",
    "python_use_unqualified_type_names": True,
    "maximum_signature_line_length": 88,
    "suppress_warnings": ["ref.python"],  # of a name such as `params`, which several classes have
}

SECTIONS = ("Args:", "Returns:", "Raises:", "Attributes:")


def page_of(path: str) -> str:
    """The file of the site's source that shows a file of the project; README.md is the index of its folder."""
    return re.sub(r"README\.md$", "index.md", path)


def linked(text: str, path: str) -> str:
    """A text of the project, with links to files replaced by links to their pages."""

    def replaced(match: re.Match) -> str:
        target = (ROOT / path).parent / match[1]
        if "://" in match[1] or not target.exists():
            return match[0]
        name = target.resolve().relative_to(ROOT).as_posix()
        if name in RUNNING:
            return f"](site:{match[1]}"
        if name in TEXTS:
            return f"]({page_of(match[1])}"
        if name.startswith("mm_jax/") and name.endswith(".py"):
            up = "../" * path.count("/")
            return f"]({up}reference/{name.removesuffix('.py').removesuffix('/__init__').replace('/', '.')}.rst"
        return match[0] if target.suffix == ".png" else f"]({HOST}/{'tree' if target.is_dir() else 'blob'}/main/{name}"

    return re.sub(r"\]\(([^)#\s]+)", replaced, text)


def contents(*pages: str, caption: str, depth: int = 1) -> str:
    """An entry of the bar at the side."""
    listed = "\n".join(pages)
    return f"\n```{{toctree}}\n:hidden:\n:caption: {caption}\n:maxdepth: {depth}\n\n{listed}\n```\n"


def write_texts(folder: Path) -> None:
    """Copies texts, notebooks and pictures; the front page also lists the others for the bar at the side."""
    shutil.copytree(ROOT / "examples" / "pictures", folder / "examples" / "pictures")
    for path in TEXTS:
        text = linked((ROOT / path).read_text(encoding="utf-8"), path)
        if path == "README.md":
            text += contents(*LECTURES, caption="Lectures")
            text += contents("examples/index.md", caption="Examples")
            text += contents("reference/mm_jax.rst", caption="Reference", depth=4)
            text += contents(*TEXTS[-3:], caption="Project")
        (folder / page_of(path)).write_text(text, encoding="utf-8")


def write_reference(folder: Path) -> None:
    """Writes a page for each module; that of mm_jax shows the public names, as its `__all__` lists them."""
    found = [each.name for each in pkgutil.walk_packages(mm_jax.__path__, "mm_jax.")]
    modules = ["mm_jax", *(name for name in found if "__main__" not in name)]
    (folder / "reference").mkdir()
    for name in modules:
        title = name.rpartition(".")[2]
        text = f"{title}\n{'=' * len(title)}\n\n.. automodule:: {name}\n\n"
        if inside := [each for each in modules if each.rpartition(".")[0] == name]:
            text += "\n.. toctree::\n   :hidden:\n\n" + "".join(f"   {each}\n" for each in inside)
        (folder / "reference" / f"{name}.rst").write_text(text, encoding="utf-8")


def escaped(line: str) -> str:
    """A line of a docstring, in which `*`, `|` and `_` are no markup; backticks hold code or a name."""
    parts = re.split(r"`([^`]+)`", line)
    parts[::2] = [re.sub(r"([*|\\]|_(?!\w))", r"\\\1", text) for text in parts[::2]]
    parts[1::2] = [f"`{code}`" if re.fullmatch(r"\w+(\.\w+)*", code) else f"``{code}``" for code in parts[1::2]]
    return "".join(parts)


def as_markup(app: Any, what: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Makes reStructuredText of a docstring in plain text.

    An indented block after a blank line is shown as it is; so is a doctest. What stands below a line such as `Limits:`
    becomes a list, but for the sections that napoleon knows.
    """
    found: list[str] = []
    place = ""  # what the lines so far belong to: "" is a paragraph
    for number, line in enumerate(lines):
        after_blank = number == 0 or not lines[number - 1].strip()
        if line and not line.startswith(" "):
            place = "section" if line in SECTIONS else "example" if line.startswith(">>>") else ""
            if (
                re.fullmatch(r"[A-Z][^.>]*:", line)
                and not place
                and re.match(r"  \S", "".join(lines[number + 1 :][:1]))
            ):
                place = "list"
                line += "\n"
        elif not line and place == "example":
            place = ""
        elif after_blank and line.startswith("    ") and not place:
            place = "block"
            found += ["::", ""]
        if place not in ("example", "block"):
            line = escaped(line)
        found += (re.sub(r"^  (\S[^:]*):", r"- **\1**:", line) if place == "list" else line).split("\n")
    lines[:] = found


def skipped(app: Any, what: str, name: str, thing: Any, skip: bool, options: Any) -> bool | None:
    """Leaves out a default that is another package's function, such as an optimizer of optax."""
    return True if inspect.isfunction(thing) and not thing.__module__.startswith("mm_jax") else None


def signature(app: Any, what: str, name: str, thing: Any, options: Any, given: str, returns: str) -> Any:
    """Writes a default that is a function by its name, and types as the source does."""
    if given is None:
        return None
    given, returns = (re.sub(r"jaxlib\._jax\.|~?\btyping\.", "", each or "") for each in (given, returns))
    return re.sub(r"<function (\w+).*?>", r"\1", given), returns


class Links(HTMLParser):
    """The anchors of a page, what it links to, and what it loads."""

    def __init__(self, text: str):
        super().__init__()
        self.anchors: set[str] = set()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.anchors |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        elif tag == "link" and given.get("rel") not in ("canonical", "search", "index", "next", "prev"):
            self.loaded.append(given.get("href", ""))
        elif "src" in given:
            self.loaded.append(given["src"])


def wrong_links(site: Path) -> list[str]:
    """What leads nowhere in a site, and what is loaded from another host."""
    pages = {path: Links(path.read_text(encoding="utf-8")) for path in sorted(site.rglob("*.html"))}
    found = []
    for path, page in pages.items():
        name = path.relative_to(site).as_posix()
        found += [f"{name} loads {each}" for each in page.loaded if urlsplit(each).netloc]
        for each in page.links + page.loaded:
            parts = urlsplit(each)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            target = target / "index.html" if target.is_dir() else target
            if not target.exists():
                found.append(f"{name}: {each} does not exist")
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].anchors:
                found.append(f"{name}: {each} has no such anchor")
    return found


def make(out: Path) -> list[str]:
    """Writes the site into a folder; returns what is wrong with its links."""
    with tempfile.TemporaryDirectory() as scratch:
        source = Path(scratch) / "source"
        source.mkdir()
        write_texts(source)
        write_reference(source)
        app = Sphinx(source, None, scratch + "/html", scratch + "/doctrees", "html", CONFIG, warningiserror=True)
        app.connect("autodoc-process-docstring", as_markup, priority=100)  # before napoleon's
        app.connect("autodoc-skip-member", skipped)
        app.connect("autodoc-process-signature", signature)
        app.build()
        for path in RUNNING:
            shutil.copy(ROOT / path, Path(scratch) / "html" / path)
        shutil.copytree(Path(scratch) / "html", out, dirs_exist_ok=True)
    return wrong_links(out.resolve())


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Makes a static site of what the project says already.")
    parser.add_argument("--out", type=Path, required=True, help="a folder")
    if wrong := make(parser.parse_args().out):
        sys.exit("\n".join(wrong))
