"""The arguments of the commands that read a run folder: score, eval, plot, page, top, info."""

from pathlib import Path
from typing import Annotated

import typer

from mm_jax.tool.arguments import Count, Json, RunFolder, app


@app.command()
def score(
    run: RunFolder,
    words: Annotated[list[str] | None, typer.Argument(metavar="WORD", help="Words to score.")] = None,
    file: Annotated[Path | None, typer.Option(metavar="LIST", help="Score a list: the oddest come first.")] = None,
    n: Count = 20,
    as_json: Json = False,
) -> None:
    """Say how likely words are, or find the oddest words of a list.

    Example: mm-jax score runs/towns berlin --json
    """
    from mm_jax.tool import commands

    if bool(words) == bool(file):
        raise typer.BadParameter("give either words or --file LIST")
    if file:
        commands.oddest(run, file, n, as_json)
    else:
        commands.score(run, words or [], as_json)


@app.command(name="eval")
def evaluate(
    run: RunFolder,
    list_: Annotated[Path | None, typer.Argument(metavar="[LIST]", help="Another list to predict.")] = None,
    as_json: Json = False,
) -> None:
    """Print the losses on train, dev and test, or on another list.

    Example: mm-jax eval runs/towns other_towns.txt
    """
    from mm_jax.tool import commands

    commands.evaluate(run, list_, as_json)


@app.command()
def plot(run: RunFolder) -> None:
    """Draw tables, embeddings, losses and words into PNG files.

    Example: mm-jax plot runs/towns
    """
    from mm_jax.tool import commands

    commands.plot(run)


@app.command()
def page(
    run: RunFolder,
    out: Annotated[Path, typer.Option(metavar="HTML", help="The file to write.")],
    title: Annotated[str | None, typer.Option(help="Its heading; without one, the name of the folder.")] = None,
    with_words: Annotated[bool, typer.Option("--with-words", help="A filter of the list, for only new words.")] = False,
    half: Annotated[bool, typer.Option("--half", help="Half precision: half the size.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace a file that is there.")] = False,
) -> None:
    """Write one HTML file that makes words in a browser, offline.

    Example: mm-jax page runs/towns --out towns.html --title "New towns"
    """
    from mm_jax.tool import pages

    pages.write(run, out, title, with_words=with_words, half=half, overwrite=overwrite)


@app.command()
def top(
    run: RunFolder,
    n: Count = 20,
    known: Annotated[bool, typer.Option("--known", help="Words of the list as well.")] = False,
    prefix: Annotated[str, typer.Option(help="What every word begins with.")] = "",
    min_length: Annotated[int, typer.Option(min=1, help="Characters.")] = 1,
    as_json: Json = False,
) -> None:
    """Print the most probable new words, with their probabilities.

    Example: mm-jax top runs/towns -n 10
    """
    from mm_jax.tool import commands

    commands.top(run, n, known, prefix, min_length, as_json)


@app.command()
def info(run: RunFolder, as_json: Json = False) -> None:
    """Say what a run folder holds.

    Example: mm-jax info runs/towns
    """
    from mm_jax.tool import commands

    commands.info(run, as_json)
