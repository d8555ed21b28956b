"""The house that the package is built as: imports point downwards only, and draw no circle. So do the page's scripts.

The floors, from the ground up; a module may import what stands on a lower floor, and neighbours of its own floor as
long as no circle comes of it. Why in this order: characters and arrays are known to everyone; lists of words are what
models are made of; layers and counting serve several models; the verbs take any model; training uses the verbs (dev
losses), never the other way; pictures and the ladder show all of that; the command is the roof.

An import stands at the top of its file, where a reader looks for it. Inside a function only
- a third-party library that is slow to import and needed by few callers (SLOW), and
- in mm_jax.tool, everything heavy: `mm-jax --help` must answer before JAX is imported.
"""

import ast
import functools
import re
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import mm_jax
from mm_jax.page import learning, markup

FLOORS = [
    ["symbols"],
    ["streams"],
    ["checks"],
    ["vocab", "files", "output", "startup", "pytrees"],
    ["fields"],
    ["shapes"],
    ["words", "sources", "corpus"],
    ["layers", "ngrams"],
    ["models"],
    ["evaluation"],
    ["scoring", "drawing", "sampling", "conditions", "enumeration", "ranking", "structure", "checkpoint"],
    ["training", "prior"],
    ["plotting", "terminal", "ladder", "page", "learning"],
    ["tool"],
    ["__main__"],
]
SLOW = {"duckdb", "jax", "flax", "optax", "matplotlib", "pooch", "regex", "scipy"}
ROOT = Path(mm_jax.__file__).parent
LEVEL = {name: level for level, names in enumerate(FLOORS) for name in names}


def name_of(path):
    """`models.counts` of mm_jax/models/counts.py; "" of mm_jax/__init__.py."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {name_of(path): path for path in sorted(ROOT.rglob("*.py"))}


def level_of(name):
    return LEVEL[name.split(".")[0]]


def imported_by(node):
    """The modules that an import statement names: of mm_jax by their name in FILES, others by their first name."""
    if isinstance(node, ast.Import):
        found = [each.name for each in node.names]
    else:
        assert node.level == 0, "imports are absolute"
        found = [f"{node.module}.{each.name}" for each in node.names]
    return [_module(each) for each in found]


def _module(dotted):
    first, _, rest = dotted.partition(".")
    if first != "mm_jax":
        return first
    while rest and rest not in FILES:
        rest = rest.rpartition(".")[0]  # a name in a module
    return f"mm_jax.{rest}" if rest else "mm_jax"


@functools.cache
def statements(path):
    """(import statement, whether it stands inside a function) of a file; those for type checkers alone are left out."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    inside = {
        id(node)
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        for node in ast.walk(function)
    }
    return [(node, id(node) in inside) for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]


@functools.cache
def arrows():
    """(module, what it imports of mm_jax) of every import statement."""
    return [
        (name, target.removeprefix("mm_jax").removeprefix("."), node.lineno)
        for name, path in FILES.items()
        for node, _ in statements(path)
        for target in imported_by(node)
        if target.startswith("mm_jax")
    ]


def test_every_file_has_a_floor():
    assert {name.split(".")[0] for name in FILES} - {""} <= set(LEVEL)


def test_no_import_points_upwards():
    # The root holds names that are imported when they are first used: whoever imports it imports nothing.
    upwards = [arrow for arrow in arrows() if arrow[1] and level_of(arrow[1]) > level_of(arrow[0])]
    assert upwards == []


def test_no_circle():
    graph = {name: set() for name in FILES}
    for name, target, _ in arrows():
        if target and target != name and name != target.partition(".")[0]:
            graph[name].add(target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(error.args[1]))


def test_a_script_of_a_page_imports_what_stands_above_it():
    """In the order in which `markup` joins them, so the scripts draw no circle either."""
    folder = ROOT / "page"
    models = sorted(path.relative_to(folder).as_posix() for path in (folder / "models").glob("*.js"))
    order = [*markup._ENGINE, *models, "engine/worker.js", *markup._INTERFACE, *learning.SCRIPTS, *markup._LEARNER]
    assert sorted(order) == sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.js"))
    below = [
        (name, source)
        for place, name in enumerate(order)
        for source in re.findall(r'^(?:import|\}) .*from "([^"]+)";$', (folder / name).read_text("utf-8"), re.MULTILINE)
        if (folder / name).parent.joinpath(source).resolve().relative_to(folder).as_posix() not in order[:place]
    ]
    assert below == []


def test_imports_stand_at_the_top():
    hidden = [
        (name, node.lineno, target)
        for name, path in FILES.items()
        if name.split(".")[0] != "tool"
        for node, inside in statements(path)
        for target in imported_by(node)
        if inside and target not in SLOW
    ]
    assert hidden == []


SHAPED = re.compile(r"\w+\[[^\[\]]*, '[^']*'\]")  # of jaxtyping
PLAIN = re.compile(r"(?<![\w.])(np\.ndarray|jax\.Array|Array)\b")


def shapeless(path):
    """Functions of a file with an array of which neither the annotation nor the docstring says the shape."""
    for function in ast.parse(path.read_text(encoding="utf-8")).body:
        overload = [ast.unparse(each) for each in getattr(function, "decorator_list", [])] == ["overload"]
        if isinstance(function, ast.FunctionDef) and not overload and "[" not in (ast.get_docstring(function) or ""):
            arguments = [*function.args.args, *function.args.kwonlyargs]
            annotations = [each.annotation for each in arguments] + [function.returns]
            if any(each is not None and PLAIN.search(SHAPED.sub("", ast.unparse(each))) for each in annotations):
                yield function.name


def test_functions_say_the_shapes_of_their_arrays():
    """Those that are private as well."""
    floors = {
        "vocab",
        "corpus",
        "layers",
        "ngrams",
        "models",
        "evaluation",
        "scoring",
        "drawing",
        "sampling",
        "enumeration",
    }
    floors |= {"training", "plotting"}
    found = [(name, each) for name, path in FILES.items() if name.split(".")[0] in floors for each in shapeless(path)]
    assert found == []


def imported_after(code):
    """The names in sys.modules after some code, in an interpreter of its own."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"], capture_output=True, text=True, check=True
    )
    return set(done.stdout.splitlines()[-1].split())


def test_importing_mm_jax_imports_neither_jax_nor_flax():
    assert not imported_after("import mm_jax") & {"jax", "flax", "optax", "matplotlib", "numpy"}


def test_nobody_imports_flax_but_its_user():
    code = """
import jax, mm_jax, tempfile
words = ["emma", "ava", "mia"]
vocab = mm_jax.Vocab.from_words(words)
params = mm_jax.mlp.init(jax.random.key(0), vocab, hidden_dim=4)
params, _ = mm_jax.fit(params, words, jax.random.key(1), steps=2)
mm_jax.evaluate(params, words), mm_jax.score(params, "ava"), mm_jax.sample(params, jax.random.key(2), 2)
mm_jax.save(params, tempfile.mkdtemp() + "/model.safetensors")
mm_jax.network, mm_jax.page, mm_jax.plotting, mm_jax.lr_range_test, mm_jax.ngram.fit(words, vocab)
"""
    assert not imported_after(code) & {"flax", "matplotlib"}


def test_the_help_of_the_command_imports_no_jax():
    code = "import sys\nsys.argv = ['mm-jax', '--help']\ntry:\n    from mm_jax.__main__ import main\n    main()\n"
    code += "except SystemExit:\n    pass\nprint()"
    assert not imported_after(code) & {"jax", "flax", "optax"}
