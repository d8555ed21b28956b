"""The command `mm-jax`: from a list of words to new ones, without writing Python.

Results go to stdout and talk to stderr. Exit status 0, 1 (what was asked for failed) or 2 (bad usage). JAX is imported
by the commands that need it, so that `--help` comes at once.
"""

import io
import json
import math
import os
import sys
from pathlib import Path
from typing import Annotated, Any, Literal, NoReturn

import platformdirs
import typer

app = typer.Typer(
    name="mm-jax",
    help="Makes more of whatever list it is given: learns its words character by character and prints new ones.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
)
List = Annotated[Path, typer.Argument(metavar="LIST", help="A text file in UTF-8, one word a line.")]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="A folder that `mm-jax train` made.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Count = Annotated[int, typer.Option("-n", min=1, help="How many.")]
Seed = Annotated[int, typer.Option(min=0, help="Decides every random number.")]


def say(text: str) -> None:
    """Talk, which goes to stderr."""
    print(text, file=sys.stderr, flush=True)


def give(value: Any, as_json: bool, text: str) -> None:
    """A result, which goes to stdout."""
    print(json.dumps(value, ensure_ascii=False) if as_json else text)


def fail(why: str) -> NoReturn:
    """Ends with status 1."""
    say(f"error: {why}")
    raise typer.Exit(1)


def main() -> None:
    """The entry point: a user's mistake is one line on stderr, never a traceback."""
    # Programs that were compiled before are read back: a command then starts in about half the time.
    os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(platformdirs.user_cache_path("mm_jax") / "jax"))
    os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="replace")
    try:
        app()
    except (ValueError, OSError) as error:
        say(f"error: {error}")
        sys.exit(1)
    except KeyboardInterrupt:
        say("stopped")
        sys.exit(130)


@app.command()
def check(
    list_: List,
    fix: Annotated[Path | None, typer.Option(metavar="OUT", help="Write a clean copy.")] = None,
    as_json: Json = False,
) -> None:
    """Say what is in a list, what is odd about it, and what will be done about that.

    Example: mm-jax check towns.txt --fix clean.txt
    """
    from mm_jax import checking
    from mm_jax.checkpoint import write_whole

    report = checking.check(list_)
    give(report.as_dict(), as_json, checking.render(report))
    if fix:
        write_whole(fix, "\n".join([*report.clean, ""]).encode())
        say(f"wrote {len(report.clean):,} words to {fix}")
    elif report.refused:
        fail(f"{report.refused} line(s) must be mended before training: --fix OUT does it")


@app.command()
def train(
    list_: List,
    out: Annotated[Path, typer.Option(metavar="RUN", help="The folder to write.")],
    model: Annotated[Literal["mlp", "bigram", "counts", "ngram"], typer.Option(help="What to train.")] = "mlp",
    recipe: Annotated[Literal["tuned", "lecture"], typer.Option(help="mlp: how to train.")] = "tuned",
    steps: Annotated[int | None, typer.Option(min=1, help="mlp, bigram: most steps.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="mlp: contexts a step.")] = None,
    lr: Annotated[str | None, typer.Option(help="mlp, bigram: peak learning rate, or auto.")] = None,
    block_size: Annotated[int, typer.Option(min=1, help="mlp: characters of context.")] = 3,
    embedding_dim: Annotated[int, typer.Option(min=1, help="mlp: numbers a character.")] = 10,
    hidden_dim: Annotated[int, typer.Option(min=1, help="mlp: width of the hidden layer.")] = 200,
    order: Annotated[int | None, typer.Option(min=1, help="ngram: characters of context + 1.")] = None,
    smoothing: Annotated[float, typer.Option(min=0.0, help="counts: fake counts a cell.")] = 1.0,
    seed: Seed = 0,
    dedup: Annotated[bool, typer.Option("--dedup", help="Take each word once.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with what RUN holds.")] = False,
    as_json: Json = False,
) -> None:
    """Learn a list, and write what was learned to a run folder.

    What is not given is chosen by the size of the list, and printed.

    Example: mm-jax train towns.txt --out runs/towns
    """
    from mm_jax import commands, runs

    plan = runs.Plan(
        model=model,
        seed=seed,
        dedup=dedup,
        recipe=recipe,
        block_size=block_size,
        embedding_dim=embedding_dim,
        hidden_dim=hidden_dim,
        smoothing=smoothing,
    )
    given = {"steps": steps, "batch_size": batch_size, "learning_rate": _rate(lr), "order": order}
    commands.train(list_, out, plan, given, resume=resume, as_json=as_json)


def _rate(text: str | None) -> float | str | None:
    """--lr: a positive number, or "auto"; anything else is bad usage."""
    if text is None or text == "auto":
        return text
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise typer.BadParameter(f"{text!r} is neither a positive number nor auto", param_hint="--lr")
    return value


@app.command()
def sample(
    run: RunFolder,
    n: Count = 20,
    temperature: Annotated[float, typer.Option(min=0.0, help="Below 1: likelier; 0: the likeliest.")] = 1.0,
    top_k: Annotated[int | None, typer.Option(min=1, help="Draw among the k likeliest characters.")] = None,
    prefix: Annotated[str, typer.Option(help="What every word begins with.")] = "",
    suffix: Annotated[str, typer.Option(help="What every word ends with.")] = "",
    contains: Annotated[str, typer.Option(help="What every word holds.")] = "",
    min_length: Annotated[int, typer.Option(min=0, help="Characters.")] = 1,
    max_length: Annotated[int | None, typer.Option(min=1, help="Characters.")] = None,
    new: Annotated[bool, typer.Option("--new", help="Only words that are not in the list.")] = False,
    distinct: Annotated[bool, typer.Option("--distinct", help="Each word once.")] = False,
    budget: Annotated[int, typer.Option(min=1, help="Most words to draw for it.")] = 100_000,
    seed: Seed = 0,
    as_json: Json = False,
) -> None:
    """Print new words that meet every condition.

    Example: mm-jax sample runs/towns -n 5 --prefix ma --new
    """
    from mm_jax import commands

    wanted = commands.Wanted(prefix, suffix, contains, min_length, max_length, new, distinct)
    commands.sample(run, n, wanted, temperature, top_k, budget, seed, as_json)


@app.command()
def score(
    run: RunFolder,
    words: Annotated[list[str] | None, typer.Argument(metavar="WORD", help="Words to score.")] = None,
    file: Annotated[Path | None, typer.Option(metavar="LIST", help="Score a list: the oddest come first.")] = None,
    n: Count = 20,
    as_json: Json = False,
) -> None:
    """Say how likely words are, character by character; or find the oddest of a list.

    Example: mm-jax score runs/towns berlin --json
    """
    from mm_jax import commands

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
    """Print the losses on train, dev and test, or on another list, with standard errors.

    Example: mm-jax eval runs/towns other_towns.txt
    """
    from mm_jax import commands

    commands.evaluate(run, list_, as_json)


@app.command()
def plot(run: RunFolder) -> None:
    """Draw what the model has (table, embedding, losses) into PNG files, and print their paths.

    Example: mm-jax plot runs/towns
    """
    from mm_jax import commands

    commands.plot(run)


@app.command()
def compare(
    list_: List,
    steps: Annotated[int, typer.Option(min=1, help="Most steps of the MLP.")] = 1500,
    as_json: Json = False,
) -> None:
    """Fit every model to a list and print one table of their losses.

    Example: mm-jax compare towns.txt
    """
    from mm_jax import commands

    commands.compare(list_, steps, as_json)


@app.command()
def top(
    run: RunFolder,
    n: Count = 20,
    known: Annotated[bool, typer.Option("--known", help="Words of the list as well.")] = False,
    as_json: Json = False,
) -> None:
    """Print the most probable new words, exactly, with their probabilities.

    Example: mm-jax top runs/towns -n 10
    """
    from mm_jax import commands

    commands.top(run, n, known, as_json)


@app.command()
def info(run: RunFolder, as_json: Json = False) -> None:
    """Say what a run folder holds.

    Example: mm-jax info runs/towns
    """
    from mm_jax import commands

    commands.info(run, as_json)
