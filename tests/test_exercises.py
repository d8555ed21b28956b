"""The exercises beside the lectures: gaps are named, solutions pass, and mistakes fail with what explains them."""

import ast
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from .test_examples import EXAMPLES

FOLDER = EXAMPLES / "exercises"
SOLUTIONS = FOLDER / "solutions"
EXERCISES = sorted(path.stem.removeprefix("exercise_") for path in FOLDER.glob("exercise_*.py"))
LEVELS = ("easy", "middle", "hard")


def grade(*arguments):
    """(exit status, what it prints, {exercise: states of its steps}) of pytest, as learners run it in the checkout."""
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *map(str, arguments)]
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
    done = subprocess.run(
        command, cwd=EXAMPLES.parent, capture_output=True, text=True, timeout=300, env=env, check=False
    )
    table = done.stdout.rpartition(" grade ")[2]
    rows = {
        f"{n}_{name}": re.split(r" {2,}", row.strip()) for n, name, row in re.findall(r"(\d) (\w+) {2,}(.*)", table)
    }
    return done.returncode, done.stdout + done.stderr, rows


def mistaken(folder, exercise, *changes):
    """Writes the solution of an exercise with some text changed, and returns its folder."""
    text = (SOLUTIONS / f"exercise_{exercise}.py").read_text(encoding="utf-8")
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    (folder / f"exercise_{exercise}.py").write_text(text, encoding="utf-8")
    return folder


def functions(path):
    """(name, arguments, docstring, rest of the body) of each function, and what stands between them."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    heads = [
        (node.name, ast.dump(node.args), ast.unparse(node.returns or node), ast.get_docstring(node)) for node in found
    ]
    rest = [ast.dump(node) for node in tree.body if node not in found]
    return heads, rest, [ast.unparse(node.body[1:]) for node in found]


@pytest.mark.parametrize("exercise", EXERCISES)
def test_a_solution_is_the_exercise_with_its_gaps_filled(exercise):
    gaps, solved = (functions(folder / f"exercise_{exercise}.py") for folder in (FOLDER, SOLUTIONS))
    assert gaps[:2] == solved[:2]
    bodies = list(zip(gaps[2], solved[2], strict=True))
    assert sum(gap != solution for gap, solution in bodies) >= len(LEVELS)
    assert all(gap in ("raise NotImplementedError", solution) for gap, solution in bodies)


def test_each_lecture_has_one_with_three_steps():
    assert [name[0] for name in EXERCISES] == list("12345")
    for name in EXERCISES:
        text = (FOLDER / f"test_{name}.py").read_text(encoding="utf-8")
        assert re.findall(r"^def test_(\w+)\(check\):", text, re.MULTILINE) == list(LEVELS)


def test_the_tests_of_the_project_leave_them_alone():
    settings = tomllib.loads((EXAMPLES.parent / "pyproject.toml").read_text(encoding="utf-8"))
    paths = settings["tool"]["pytest"]["ini_options"]["testpaths"]
    assert not [path for path in paths if Path("examples/exercises").is_relative_to(path)]


@pytest.mark.slow
def test_solutions_pass():
    status, said, rows = grade("examples/exercises", "--answers=examples/exercises/solutions")
    assert status == 0, said
    assert "15 of 15 steps solved" in said
    assert rows == {exercise: ["solved"] * 3 for exercise in EXERCISES}


@pytest.mark.slow
def test_each_gap_fails_with_its_name_and_place():
    status, said, rows = grade("examples/exercises")
    assert status == 1, said
    assert "0 of 15 steps solved" in said and "15 failed" in said and "Traceback" not in said
    assert rows == {exercise: ["gap"] * 3 for exercise in EXERCISES}
    for exercise in EXERCISES:
        for level in LEVELS:
            title = f"^exercise {exercise.replace('_', ' ')}, {level}: "
            place = re.search(rf"{title}(\w+) is a gap. Write it: (\w+.py), line (\d+)$", said, re.MULTILINE)
            assert place, (exercise, level)
            line = (FOLDER / place[2]).read_text(encoding="utf-8").splitlines()[int(place[3]) - 1]
            assert line == "    raise NotImplementedError"


JOIN = "x.reshape(*batch, places // k, k * channels)"
DOTS = 'params["E"][jnp.concatenate([jnp.zeros(8, tokens.dtype), tokens])]'
MISTAKES = [  # the exercise, and: level, what is changed in its solution, what is said
    (
        "1_bigrams",
        ("easy", "N[i, j] += 1", "N[j, i] += 1", "transposed"),
        ("middle", "(axis=1, keepdims", "(axis=0, keepdims", "Columns were divided"),
        ("hard", 'side="right"', 'side="left"', "no token of probability 0"),
    ),
    ("2_mlp", ("middle", "Y].mean()", "Y].sum()", "the sum over the batch")),
    ("2_mlp", ("middle", "rows = rows - rows.max(axis=1, keepdims=True)", "", "exp overflows")),
    ("2_mlp", ("hard", "p - rate * g", "p", "does the scan carry")),
    ("2_mlp", ("hard", "p - rate * g", "p + rate * g", "go uphill")),
    (
        "3_batchnorm",
        ("easy", "x.mean(axis=0), x.var(axis=0", "x.mean(axis=1), x.var(axis=1", "the batch is axis 0"),
        ("hard", 'state["mean"] * scale', 'state["mean"]', "to be scaled too"),
    ),
    ("3_batchnorm", ("easy", "ddof=1", "ddof=0", "should by n - 1")),
    (
        "3_batchnorm",
        ("middle", "jax.lax.stop_gradient(batch)", "batch", "A gradient flows"),
        ("hard", 'params["gain"] / jnp.sqrt(state["var"] + EPS)', 'params["gain"] / jnp.sqrt(state["var"])', "EPS"),
    ),
    (
        "4_backprop",
        ("easy", "h.T @ dlogits", "dlogits.T @ h", "dW2: wrong. Shape (4, 5), wanted (5, 4): transposed"),
        ("middle", "add(-1.0) / len(Y)", "add(-1.0)", "dlogits: wrong. It is 6 times the right one"),
        ("hard", "dgain / (n - 1)", "dgain / n", "dhprebn: wrong."),
    ),
    (
        "5_wavenet",
        ("easy", JOIN, "jnp.concatenate(jnp.split(x, k, axis=-2), axis=-1)", "It joins the halves"),
        ("hard", DOTS, 'jnp.concatenate([jnp.zeros((8, 16)), params["E"][tokens]])', "Zeros stand in front"),
    ),
]


@pytest.mark.slow
@pytest.mark.parametrize(("exercise", "changes"), [(name, changes) for name, *changes in MISTAKES])
def test_a_mistake_fails_and_is_explained(exercise, changes, tmp_path):
    folder = mistaken(tmp_path, exercise, *(change[1:3] for change in changes))
    levels = " or ".join(change[0] for change in changes)
    status, said, rows = grade(f"examples/exercises/test_{exercise}.py", f"--answers={folder}", "-k", levels)
    assert status == 1, said
    for level, _, _, sentence in changes:
        assert rows[exercise][LEVELS.index(level)] == "wrong", said
        reason = re.search(rf"^exercise {exercise.replace('_', ' ')}, {level}: .*", said, re.MULTILINE)
        assert reason and sentence in reason[0], said


@pytest.mark.slow
def test_what_an_answer_may_do(tmp_path):
    """What cannot be read keeps no other from its grade; None, an error, a file that is not there, no folder."""
    (tmp_path / "exercise_4_backprop.py").write_text("def output_layer(h:\n", encoding="utf-8")
    mistaken(tmp_path, "5_wavenet", (f"return {JOIN}", f"{JOIN}"), (DOTS, "jnp.zeros(3) @ jnp.zeros(4)"))
    files = [f"examples/exercises/test_{exercise}.py" for exercise in EXERCISES[2:]]
    status, said, rows = grade(*files, "--answers", tmp_path)
    assert status == 1
    assert rows["3_batchnorm"] == ["gap"] * 3
    assert rows["4_backprop"] == ["cannot run"] * 3 and "SyntaxError" in said
    assert rows["5_wavenet"] == ["wrong"] * 3
    assert "exercise 5 wavenet, easy: join of [2, 8, 3] is None: is there a return?" in said
    assert "exercise 5 wavenet, hard: this error ended it." in said and "exercise_5_wavenet.py:" in said
    status, said, _ = grade("examples/exercises", "--answers=nowhere")
    assert status == 4 and "nowhere is not a folder" in said
