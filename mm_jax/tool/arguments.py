"""The arguments of `mm-jax`, and how its commands are called.

Results go to stdout, messages to stderr. Exit status 0, 1 (what was asked for failed) or 2 (bad usage). JAX is imported
by the commands that need it, so that `--help` comes at once; `application` gives `train` the options of models.
"""

import math
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

import mm_jax
from mm_jax.output import fail, give, hush, say

app = typer.Typer(
    name="mm-jax",
    help="Makes more of whatever list it is given: learns its words character by character and prints new ones.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
)


def _or_stdin(path: Path | None) -> Path | None:
    return Path("/dev/stdin") if path == Path("-") else path


List = Annotated[
    Path,
    typer.Argument(metavar="LIST", callback=_or_stdin, help="A text file in UTF-8, one word a line; - is stdin."),
]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="A folder that `mm-jax train` made.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
MOST = 2**31 - 1  # of what is counted: the largest int32
Count = Annotated[int, typer.Option("-n", min=1, max=MOST, help="How many.")]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Decides every random number.")]
Effort = Annotated[Literal["quick", "normal", "best"], typer.Option(help="About 5 s, 30 s or 10 min for 30,000 words.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print results, warnings and errors only.")]


def _print_version(asked: bool) -> bool:
    if asked:
        print(f"mm_jax {mm_jax.__version__}")
        raise typer.Exit
    return asked


@app.callback()
def common(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """Make more of whatever list it is given: learn its words character by character, and print new ones."""


@app.command()
def check(
    list_: List,
    fix: Annotated[Path | None, typer.Option(metavar="OUT", help="Write a clean copy.")] = None,
    as_json: Json = False,
) -> None:
    """Say what is in a list, what is odd, and what is done about it.

    Example: mm-jax check towns.txt --fix clean.txt
    """
    from mm_jax.files import write_whole
    from mm_jax.tool import checking

    report = checking.check(list_)
    give(report.as_dict(), as_json, checking.render(report))
    if fix:
        write_whole(fix, "\n".join([*report.clean, ""]).encode())
        say(f"wrote {len(report.clean):,} words to {fix}")
    elif report.refused:
        fail(f"{report.refused} line(s) must be mended before training: --fix OUT does it")


@app.command("train")
def train_(
    list_: List,
    out: Annotated[Path, typer.Option(metavar="RUN", help="The folder to write.")],
    model: str = "auto",
    effort: Effort = "normal",
    recipe: str | None = None,
    seed: Seed = 0,
    dedup: Annotated[bool, typer.Option("--dedup", help="Take each word once.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with what RUN holds.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what RUN holds.")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
    **options: Any,
) -> None:
    """Learn a list, and write what was learned to a run folder.

    The model is chosen on words held back, and what was tried is printed. With --model NAME that one is trained, and
    the options of models and recipes can be set.

    Example: mm-jax train towns.txt --out runs/towns
    """
    from mm_jax.tool.model_options import parsed

    given = parsed(model, recipe, options)
    if resume and overwrite:
        raise typer.BadParameter("give either --resume or --overwrite")
    if quiet:
        hush()
    from mm_jax.tool import train

    settings = {"seed": seed, "dedup": dedup, "effort": effort}
    train.train(list_, out, model, recipe, given, resume=resume, overwrite=overwrite, as_json=as_json, **settings)


@app.command()
def sample(
    run: RunFolder,
    n: Count = 20,
    temperature: Annotated[
        float | None, typer.Option(min=0.0, help="Below 1: likelier; 0: the likeliest. Default: by the list's size.")
    ] = None,
    top_k: Annotated[int | None, typer.Option(min=1, max=MOST, help="Draw among the k likeliest characters.")] = None,
    prefix: Annotated[str, typer.Option(help="What every word begins with.")] = "",
    suffix: Annotated[str, typer.Option(help="What every word ends with.")] = "",
    contains: Annotated[str, typer.Option(help="What every word holds.")] = "",
    regex: Annotated[str | None, typer.Option(help="A regular expression that every word matches somewhere.")] = None,
    avoid: Annotated[
        Path | None, typer.Option(metavar="FILE", help="No word holds a line of this file, in either case.")
    ] = None,
    min_length: Annotated[int | None, typer.Option(min=0, max=MOST, help="Default: the list's shortest word.")] = None,
    max_length: Annotated[
        int | None, typer.Option(min=1, max=MOST - 1, help="Default: the list's longest word.")
    ] = None,
    new: Annotated[bool, typer.Option("--new", help="Only words that are not in the list.")] = False,
    distinct: Annotated[bool, typer.Option("--distinct", help="Each word once.")] = False,
    min_distance: Annotated[int, typer.Option(min=0, max=MOST, help="Fewest edits from every word of the list.")] = 0,
    scores: Annotated[
        bool, typer.Option("--scores", help="Nats per character, share of the list below, nearest word (edits).")
    ] = False,
    sort: Annotated[bool, typer.Option("--sort", help="The likeliest first.")] = False,
    form: Annotated[Literal["text", "csv", "tsv", "jsonl"], typer.Option("--format", help="How to print.")] = "text",
    budget: Annotated[int, typer.Option(min=1, max=MOST, help="Most words to draw for it.")] = 100_000,
    seed: Annotated[int | None, typer.Option(min=0, max=2**32 - 1, help="Decides every word. Default: 0.")] = None,
    random: Annotated[bool, typer.Option("--random", help="Take a seed of its own each time, and print it.")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Print new words that meet every condition.

    Example: mm-jax sample runs/towns -n 5 --prefix ma --new
    """
    if random and seed is not None:
        raise typer.BadParameter("give either --seed or --random")
    if as_json and form != "text":
        raise typer.BadParameter("give either --json or --format")
    if quiet:
        hush()
    from mm_jax.tool import conditions

    chosen = secrets.randbelow(2**31) if random else seed or 0
    wanted = conditions.Wanted(suffix, contains, min_length, max_length, new, distinct, min_distance, avoid, regex)
    drawn = {"prefix": prefix, "temperature": temperature, "top_k": top_k}
    shown = conditions.Shown(form, scores, sort)
    conditions.sample(run, n, wanted, drawn, budget, chosen, shown, as_json)
    if random:
        say(f"seed {chosen}: --seed {chosen} gives these again")
    elif seed is None:
        say("seed 0 gives the same words every time: --seed N gives others, --random new ones")


@app.command()
def compare(
    list_: List,
    steps: Annotated[int, typer.Option(min=1, max=MOST, help="Most steps of each model.")] = 1500,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Train every model on a list, and print one table of their losses.

    Example: mm-jax compare towns.txt
    """
    if quiet:
        hush()
    from mm_jax.tool import train

    train.compare(list_, steps, as_json)


@app.command()
def mix(
    run: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Two or more folders of `mm-jax train`.")],
    out: Annotated[Path, typer.Option(metavar="RUN", help="The folder to write.")],
    weights: Annotated[str | None, typer.Option(metavar="W,W,...", help="One for each run. Default: equal.")] = None,
    as_json: Json = False,
) -> None:
    """Mix runs into one: its words are something of each list.

    Example: mm-jax mix runs/dutch runs/japanese --weights 1,1 --out runs/both
    """
    if len(run) < 2:
        raise typer.BadParameter("give two runs or more", param_hint="RUN...")
    given = _weights(weights, len(run))
    from mm_jax.tool import commands

    commands.mix(run, given, out, as_json)


def _weights(text: str | None, count: int) -> list[float]:
    """The weights of `mm-jax mix`, one for each of `count` runs; typer.BadParameter for others."""
    if text is None:
        return [1.0] * count
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) != count or not all(0 < value < math.inf for value in values):
        raise typer.BadParameter(f"{text!r} is not {count} positive numbers, as 1,2", param_hint="--weights")
    return values


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
    from mm_jax.tool import commands

    commands.write_page(run, out, title, with_words=with_words, half=half, overwrite=overwrite)


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


def application(arguments: Sequence[str]) -> typer.Typer:
    """Returns the command; `train` has the options of models, which take JAX to find, where these arguments call it."""
    if next((argument for argument in arguments if not argument.startswith("-")), "") == "train":
        from mm_jax.tool import model_options

        model_options.extend(train_)
    return app
