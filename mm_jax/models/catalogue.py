"""Which models there are, and what can be said about them without importing them: read from the text of their files.

A command prints its help at once, so it must not import JAX to learn that an MLP has a block_size. The options of a
model are the arguments of its `init` or `fit`; what they mean stands in that function's docstring.
"""

import ast
import functools
from pathlib import Path
from typing import Any, NamedTuple

_FOLDER = Path(__file__).parent


class Option(NamedTuple):
    """An argument of a function, or a field of a class: its name, type as written, default, and what it means."""

    name: str
    type: str
    default: Any
    meaning: str

    def parse(self, text: str) -> Any:
        """The value that a text stands for: of the option's type where that is a number, else the text itself."""
        kinds = {"int": int, "float": float}
        for name in self.type.split(" | "):
            if name in kinds:
                return kinds[name](text)
        return text


class Kind(NamedTuple):
    """A model that can be made from words: its file's name, how it is made ("init" or "fit"), and its data.

    `options` are the arguments of that function, `recipes` are names; `efforts` says at which efforts the command tries
    it, and with which options (see `contract`).
    """

    name: str
    made_by: str
    options: dict[str, Option]
    recipes: tuple[str, ...]
    efforts: dict[str, dict[str, Any]]


@functools.cache
def kinds() -> dict[str, Kind]:
    """All models that a list of words and a few options make, by name.

    >>> sorted(kinds()["mlp"].options)
    ['block_size', 'embedding_dim', 'hidden_dim', 'init']
    """
    read = (_read(path) for path in sorted(_FOLDER.glob("*.py")))
    return {kind.name: kind for kind in read if kind is not None}


def _read(path: Path) -> Kind | None:
    """The kind of model in a file; None for files of another sort."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    functions = {each.name: each for each in tree.body if isinstance(each, ast.FunctionDef)}
    for made_by, first in (("init", ["key", "vocab"]), ("fit", ["words", "vocab"])):
        function = functions.get(made_by)
        if function and "logits" in functions and [each.arg for each in function.args.args[:2]] == first:
            recipes, efforts = (_constant(tree, name) or {} for name in ("RECIPES", "EFFORTS"))
            return Kind(path.stem, made_by, _options_of(function), tuple(recipes), efforts)
    return None


def _options_of(function: ast.FunctionDef) -> dict[str, Option]:
    """The arguments with a default."""
    args = function.args
    with_default = list(zip(args.args[len(args.args) - len(args.defaults) :], args.defaults, strict=True))
    with_default += [(arg, value) for arg, value in zip(args.kwonlyargs, args.kw_defaults, strict=True) if value]
    meanings = _meanings(ast.get_docstring(function) or "")
    return {
        arg.arg: Option(
            arg.arg, ast.unparse(arg.annotation or ast.Name("str")), ast.literal_eval(value), meanings.get(arg.arg, "")
        )
        for arg, value in with_default
    }


def fields_of(path: Path, name: str) -> dict[str, Option]:
    """The fields of a dataclass in a file, by name; a default that is no plain value is None."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    cls = next(each for each in tree.body if isinstance(each, ast.ClassDef) and each.name == name)
    meanings = _meanings(ast.get_docstring(cls) or "")
    options = {}
    for each in cls.body:
        if isinstance(each, ast.AnnAssign) and isinstance(each.target, ast.Name):
            default = each.value.value if isinstance(each.value, ast.Constant) else None
            field = each.target.id
            options[field] = Option(field, ast.unparse(each.annotation), default, meanings.get(field, ""))
    return options


def _constant(tree: ast.Module, name: str) -> Any:
    """The value of a module's constant that is written as plain data; None where it is not there."""
    for each in tree.body:
        if isinstance(each, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == name for target in each.targets
        ):
            return ast.literal_eval(each.value)
    return None


def _meanings(docstring: str) -> dict[str, str]:
    """The first sentence on each argument, of a docstring's section `Args:`."""
    meanings: dict[str, str] = {}
    name = ""
    for line in docstring.partition("Args:\n")[2].partition("\n\n")[0].splitlines():
        text = line.strip()
        if line.startswith("  ") and not line.startswith("    ") and ":" in text:
            name, _, text = text.partition(":")
            meanings[name] = text.strip()
        elif name:
            meanings[name] += " " + text
    return {name: text.split("; ")[0].split(". ")[0].rstrip(".") for name, text in meanings.items()}
