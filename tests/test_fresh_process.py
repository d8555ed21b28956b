"""Every public name works in a process that imported nothing of mm_jax before it."""

import inspect
import json
import operator
import re
import subprocess
import sys

import mm_jax

# Third parties are imported once, and every trial begins without a module of mm_jax: what one name imports, another
# cannot lean on. Of the names of a module one is tried: the others import the same.
CODE = """
import json, sys
import jax, numpy, optax, matplotlib, safetensors.numpy, rich, typer, pooch, filelock, rapidfuzz, platformdirs

def trial(dotted):
    for name in [name for name in sys.modules if name.partition(".")[0] == "mm_jax"]:
        del sys.modules[name]
    import mm_jax
    found = mm_jax
    for part in dotted.split("."):
        found = getattr(found, part)
    return found

failed, tried = {}, []
for dotted, module in json.loads(sys.stdin.read()):
    if module not in tried:
        tried.append(module)
        try:
            trial(dotted)
        except Exception as error:
            failed[dotted] = repr(error)
print(json.dumps([failed, tried]))
"""


def documented():
    """The submodules that `help(mm_jax)` names, in the first column of its table."""
    columns = re.findall(r"^ {4}(\w[\w/ ,]*?)  +\S", mm_jax.__doc__ or "", re.MULTILINE)
    return [name.strip("/") for column in columns for name in re.split(r"[ ,]+", column) if name]


def module_of(dotted):
    """The module that a name is in, or is."""
    found = operator.attrgetter(dotted)(mm_jax)
    return found.__name__ if inspect.ismodule(found) else getattr(found, "__module__", dotted)


def test_every_public_name_and_every_submodule_of_the_help():
    names = [*mm_jax.__all__, *documented()]
    assert {"vocab", "models", "training"} <= set(names)
    given = json.dumps([(name, module_of(name)) for name in names])
    done = subprocess.run([sys.executable, "-c", CODE], input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    failed, tried = json.loads(done.stdout.splitlines()[-1])
    assert failed == {} and {"mm_jax.vocab", "mm_jax.models", "mm_jax.training.loop"} <= set(tried)
