"""What holds for the package as a whole."""

import inspect
from pathlib import Path

import pytest

import mm_jax

from .models.zoo import FILES

PUBLIC = [name for name in mm_jax.__all__ if not name.startswith("_")]
FUNCTIONS = {name: getattr(mm_jax, name) for name in PUBLIC if inspect.isfunction(getattr(mm_jax, name))}
FUNCTIONS |= {
    f"{module.__name__}.{name}": function
    for module in FILES
    for name, function in inspect.getmembers(module, inspect.isfunction)
    if function.__module__ == module.__name__ and not name.startswith("_")
}


@pytest.mark.parametrize("name", PUBLIC)
def test_public_names_are_documented(name):
    thing = getattr(mm_jax, name)
    assert len(inspect.getdoc(thing) or "") > 30
    if inspect.isclass(thing):
        assert not (thing.__doc__ or "").startswith(f"{name}(")  # dataclass writes one where we did not


MODULES = {name for name in PUBLIC if inspect.ismodule(getattr(mm_jax, name))}
MAKERS = {
    f"{module.__name__}.{name}": vars(module)[name]
    for module in FILES
    for name in ("init", "fit", "wrap")
    if name in vars(module)
}


@pytest.mark.parametrize("name", [*sorted(set(PUBLIC) - MODULES), *MAKERS])
def test_public_names_have_a_doctest(name):
    assert ">>> " in (inspect.getdoc(MAKERS.get(name) or getattr(mm_jax, name)) or "")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_functions_say_what_they_take(name):
    signature = inspect.signature(FUNCTIONS[name])
    untyped = [p.name for p in signature.parameters.values() if p.annotation is p.empty]
    assert untyped in ([], ["context"], ["params"], ["params", "context"])


@pytest.mark.parametrize("name", FUNCTIONS)
def test_options_stand_behind_a_star(name):
    parameters = inspect.signature(FUNCTIONS[name]).parameters.values()
    plain = [p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD and p.default is not p.empty]
    assert len(plain) <= 1, plain


def test_version():
    import importlib.metadata

    assert mm_jax.__version__ == importlib.metadata.version("mm_jax")


def test_files_are_short():
    long = {
        path.name: lines
        for path in Path(mm_jax.__file__).parent.rglob("*.py")
        if (lines := len(path.read_text().splitlines())) > 400
    }
    assert long == {}
