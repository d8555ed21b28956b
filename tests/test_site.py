"""The site: links to files become links to pages, docstrings become markup, and a link that leads nowhere is found."""

import importlib.util

import pytest

import mm_jax

from .test_examples import EXAMPLES


@pytest.fixture(scope="module")
def site():
    """examples/site.py, by its path: Python has a module of this name."""
    spec = importlib.util.spec_from_file_location("site_of_the_project", EXAMPLES / "site.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_links_to_files_become_links_to_pages(site):
    def found(target, path="README.md"):
        return site.linked(f"a [link]({target}).", path).removeprefix("a [link](").removesuffix(").")

    assert found("examples/README.md#evidence") == "examples/index.md#evidence"
    assert found("../README.md#losses", "examples/README.md") == "../index.md#losses"
    assert found("examples/makemore.html") == "site:examples/makemore.html"
    assert found("mm_jax/models/contract.py") == "reference/mm_jax.models.contract.rst"
    assert found("exercises", "examples/README.md") == f"{site.HOST}/tree/main/examples/exercises"
    same = ["#the-lectures", "https://arxiv.org/abs/1412.3555", "examples/pictures/makemore.png", "dy, *inputs"]
    assert [found(target) for target in same] == same


DOCSTRING = """Draws *new* words_ of `sample`, ended by `.`.

    p = a | b

Limits:
  most: of them, `a_`
    and more

a      what a is,
       and more
b      what b is

>>> f(**x)
a | b
""".splitlines()
MARKUP = r"""Draws \*new\* words\_ of `sample`, ended by ``.``.

::

    p = a | b

Limits:

- **most**: of them, `a_`
    and more

::

    a      what a is,
           and more
    b      what b is

>>> f(**x)
a | b
""".splitlines()


def test_a_docstring_in_plain_text_becomes_markup(site):
    lines = list(DOCSTRING)
    site.as_markup(None, "function", "f", None, None, lines)
    assert lines == MARKUP


def test_wrong_links_are_found(site, tmp_path):
    (tmp_path / "index.html").write_text(
        '<a href="other.html#here">a</a><a href="other.html#gone">b</a><a href="none.html">c</a><a href="#top">d</a>'
        '<a href="https://example.org/">e</a><script src="https://example.org/a.js"></script><img src="a.png">'
    )
    (tmp_path / "other.html").write_text('<p id="here"></p>')
    assert site.wrong_links(tmp_path) == [
        "index.html loads https://example.org/a.js",
        "index.html: other.html#gone has no such anchor",
        "index.html: none.html does not exist",
        "index.html: #top has no such anchor",
        "index.html: a.png does not exist",
    ]


@pytest.mark.slow
@pytest.mark.filterwarnings("default")  # Sphinx' extensions are warned of what a later Sphinx will lack
def test_the_site_shows_everything_and_no_link_leads_nowhere(site, tmp_path):
    pytest.importorskip("sphinx", reason="pip install -e '.[site]'")
    assert site.make(tmp_path) == []
    assert all((tmp_path / path).exists() for path in [*site.RUNNING, "index.html", "search.html", "LOG.html"])
    reference = (tmp_path / "reference" / "mm_jax.html").read_text(encoding="utf-8")
    names = [name for name in mm_jax.__all__ if not name.startswith("_") and callable(getattr(mm_jax, name))]
    assert [name for name in names if f'id="mm_jax.{name}"' not in reference] == []
