"""Makes the lecture notebooks from their sources, and checks them.

    python examples/notebooks.py            executes each lecture_*.py, writes lecture_*.ipynb, pictures included
    python examples/notebooks.py --check    executes each, writes nothing; fails on an error, on a figure outside
                                            its tolerance, and where the committed cells differ from the source
    python examples/notebooks.py --cells    compares the cells alone, executes nothing
    python examples/notebooks.py --long     makes the runs of minutes as well; with --check or without

The .py file is the source, in jupytext's percent format. Names of lectures as arguments choose some of them.
"""

import argparse
import os
import re
import sys
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).parent
LARGEST = 2_000_000  # bytes: a code host shows a notebook of this size


def read(source: Path) -> nbformat.NotebookNode:
    """The notebook of a source file, without outputs; its cells are numbered, so that it is the same every time.

    A cell tagged as a solution is folded: Jupyter shows its output, and the code when asked.
    """
    notebook = jupytext.read(source)
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
        solution = "solution" in cell.metadata.get("tags", [])  # in the source: # %% tags=["solution"]
        cell.metadata = {"jupyter": {"source_hidden": True}, "tags": ["solution"]} if solution else {}
    return notebook


def execute(source: Path) -> nbformat.NotebookNode:
    """The notebook with its outputs; raises CellExecutionError where a cell fails or a figure is off."""
    notebook = read(source)
    NotebookClient(notebook, timeout=1800, resources={"metadata": {"path": str(HERE)}}, record_timing=False).execute()
    notebook.metadata = read(source).metadata  # the kernel adds its Python version
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = joined(cell.outputs)
    return notebook


def joined(outputs: list) -> list:
    """What a cell printed in several pieces as one: a page shows a gap at each cut."""
    whole: list = []
    for output in outputs:
        if whole and output.output_type == "stream" and whole[-1].get("name") == output.name:
            whole[-1].text += output.text
        else:
            whole.append(output)
    return whole


def cells(notebook: nbformat.NotebookNode) -> list[tuple[str, str]]:
    """What the source says: the kind and the text of each cell."""
    return [(cell.cell_type, cell.source) for cell in notebook.cells]


def said(notebook: nbformat.NotebookNode) -> list[str]:
    """What each code cell printed; addresses in memory left out."""
    texts = []
    for cell in notebook.cells:
        parts = [
            output.get("text") or output.get("data", {}).get("text/plain", "") for output in cell.get("outputs", [])
        ]
        texts.append(re.sub(r"0x[0-9a-f]+", "0x", "".join(parts)))
    return texts


def differences(source: Path) -> list[str]:
    """What is wrong with the committed notebook of a source, without executing anything."""
    target = source.with_suffix(".ipynb")
    if not target.exists():
        return [f"{target.name} is missing: run python examples/notebooks.py"]
    committed = nbformat.read(target, as_version=4)
    found = []
    if cells(committed) != cells(read(source)):
        found.append(f"the cells of {target.name} differ from {source.name}: run python examples/notebooks.py")
    if any(cell.cell_type == "code" and cell.execution_count is None for cell in committed.cells):
        found.append(f"{target.name} holds cells that were not executed: run python examples/notebooks.py")
    if target.stat().st_size > LARGEST:
        found.append(f"{target.name} has {target.stat().st_size:,} bytes, more than {LARGEST:,}: draw smaller pictures")
    return found


def check(source: Path) -> list[str]:
    """What is wrong, after executing the source; outputs that differ are told and are no failure.

    Another processor rounds otherwise, and a long training run then ends elsewhere: what must hold is in the figures.
    """
    found = differences(source)
    if found:
        return found
    committed = nbformat.read(source.with_suffix(".ipynb"), as_version=4)
    pairs = zip(said(committed), said(execute(source)), strict=True)
    other = [number for number, (before, now) in enumerate(pairs) if before != now]
    print(f"{source.stem}: outputs as committed" if not other else f"{source.stem}: other outputs in cells {other}")
    return []


def main() -> None:
    """The command of the docstring above."""
    parser = argparse.ArgumentParser(description="Makes the lecture notebooks from their sources, and checks them.")
    parser.add_argument("lectures", nargs="*", help="such as lecture_1_bigrams (default: all)")
    parser.add_argument("--check", action="store_true", help="execute and compare, write nothing")
    parser.add_argument("--cells", action="store_true", help="compare the cells, execute nothing")
    parser.add_argument("--long", action="store_true", help="make the runs of minutes as well")
    args = parser.parse_args()
    os.environ["MM_JAX_CHECK"] = "1"
    os.environ.pop("MPLBACKEND", None)  # Jupyter's own draws into the notebook
    if args.long:
        os.environ["MM_JAX_LONG"] = "1"
    sources = [HERE / f"{name}.py" for name in args.lectures] or sorted(HERE.glob("lecture_*.py"))
    wrong: list[str] = []
    for source in sources:
        if args.check or args.cells:
            wrong += check(source) if args.check else differences(source)
        else:
            nbformat.write(execute(source), source.with_suffix(".ipynb"))
            wrong += differences(source)
            print(f"{source.stem}: {source.with_suffix('.ipynb').stat().st_size:,} bytes")
    if wrong:
        sys.exit("\n".join(wrong))


if __name__ == "__main__":
    main()
