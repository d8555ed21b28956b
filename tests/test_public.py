"""What holds for the package as a whole."""

import ast
import inspect
from pathlib import Path

import mm_jax

from .models.zoo import FILES

PUBLIC = [name for name in mm_jax.__all__ if not name.startswith("_")]
ROOT = Path(mm_jax.__file__).parent
MOST_LINES, MOST_OF_A_FUNCTION = 400, 40


def functions():
    """Public functions of the package and of the models' files, by name."""
    found = {name: getattr(mm_jax, name) for name in PUBLIC if inspect.isfunction(getattr(mm_jax, name))}
    return found | {
        f"{module.__name__}.{name}": function
        for module in FILES
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not name.startswith("_")
    }


def test_public_names_have_a_docstring_and_a_doctest():
    """A module has the first alone; how a model is made is shown in its own file."""
    things = {name: getattr(mm_jax, name) for name in PUBLIC}
    makers = {name: made for name, made in functions().items() if name.rpartition(".")[2] in ("init", "fit", "wrap")}
    undocumented = [name for name, thing in things.items() if not inspect.getdoc(thing)]
    # dataclass writes one where we did not
    undocumented += [name for name, thing in things.items() if (thing.__doc__ or "").startswith(f"{name}(")]
    shown = {name: thing for name, thing in (things | makers).items() if not inspect.ismodule(thing)}
    assert (undocumented, [name for name in shown if ">>> " not in (inspect.getdoc(shown[name]) or "")]) == ([], [])


def test_functions_say_what_they_take():
    untyped = {
        name: [each.name for each in inspect.signature(function).parameters.values() if each.annotation is each.empty]
        for name, function in functions().items()
    }
    allowed = ([], ["context"], ["params"], ["params", "context"])
    assert {name: names for name, names in untyped.items() if names not in allowed} == {}


def test_options_stand_behind_a_star():
    """One optional argument may be positional."""
    plain = {
        name: [
            each.name
            for each in inspect.signature(function).parameters.values()
            if each.kind is each.POSITIONAL_OR_KEYWORD and each.default is not each.empty
        ]
        for name, function in functions().items()
    }
    assert {name: names for name, names in plain.items() if len(names) > 1} == {}


def test_version():
    import importlib.metadata

    assert mm_jax.__version__ == importlib.metadata.version("mm_jax")


def length(function, lines):
    """The lines of code in a function's body: without signature, docstring, blank lines and lines of comment."""
    body = function.body[1:] if ast.get_docstring(function) is not None else function.body
    own = lines[body[0].lineno - 1 : body[-1].end_lineno] if body else []
    return sum(1 for line in own if line.strip() and not line.strip().startswith("#"))


def test_files_and_functions_are_short():
    """A file has 400 lines at most; a function 40, of code, below its signature and docstring."""
    long = {}
    for path in sorted(ROOT.rglob("*.py")):
        lines = path.read_text(encoding="utf-8").splitlines()
        if len(lines) > MOST_LINES:
            long[path.name] = len(lines)
        for node in ast.walk(ast.parse("\n".join(lines))):
            if isinstance(node, ast.FunctionDef) and length(node, lines) > MOST_OF_A_FUNCTION:
                long[f"{path.name}: {node.name}"] = length(node, lines)
    assert long == {}
