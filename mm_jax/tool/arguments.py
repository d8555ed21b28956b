"""The commands of `mm-jax` and their arguments.

Results go to stdout, messages to stderr. The exit status is 0, 1 (the command failed) or 2 (bad usage). The commands
import JAX inside, so that `--help` answers at once; `application` adds the options of models to `train`.
"""

import math
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

import mm_jax
from mm_jax.output import busy, fail, give, hush, say

app = typer.Typer(
    name="mm-jax",
    help="Makes more of any list: learns its words character by character, and prints new ones.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
)


def _or_stdin(path: Path | None) -> Path | None:
    """Returns the path of stdin for -."""
    return Path("/dev/stdin") if path == Path("-") else path


List = Annotated[
    Path,
    typer.Argument(metavar="LIST", callback=_or_stdin, help="A text file in UTF-8, one word a line; - is stdin."),
]
ListOrNone = Annotated[
    Path | None,
    typer.Argument(
        metavar="LIST",
        callback=_or_stdin,
        help="A text file, as for `check`. --resume needs none.",
    ),
]
RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="A folder written by `mm-jax train`.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
MAX_COUNT = 2**31 - 1  # the largest int32
Count = Annotated[int, typer.Option("-n", min=1, max=MAX_COUNT, help="Number of words.")]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of all random numbers.")]
Effort = Annotated[
    Literal["quick", "normal", "best"], typer.Option(help="About 5 s, 30 s or 10 min for a list of 30,000 words.")
]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print results, warnings and errors only.")]


def _print_version(asked: bool) -> bool:
    """Prints the version and exits, if asked."""
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
    """Make more of any list: learn its words character by character, and print new ones."""


@app.command()
def check(
    path: List,
    fix: Annotated[Path | None, typer.Option(metavar="OUT", help="Write a clean copy.")] = None,
    as_json: Json = False,
) -> None:
    """Report what a list holds: sizes, characters, odd lines and how they are handled.

    Example: mm-jax check towns.txt --fix clean.txt
    """
    from mm_jax.files import write_whole
    from mm_jax.tool import checking

    with busy("reading the list"):
        report = checking.check(path)
    give(report.as_dict(), as_json, checking.render(report))
    if fix:
        write_whole(fix, "\n".join([*report.clean, ""]).encode())
        say(f"wrote {len(report.clean):,} words to {fix}")
    elif report.refused:
        fail(f"{report.refused} line(s) cannot be read: --fix OUT writes a list without them")


@app.command("train")
def learn(
    context: Any,  # a typer.Context, by `model_options.extend`
    path: ListOrNone = None,
    *,
    out: Annotated[Path, typer.Option(metavar="RUN", help="The folder to write.")],
    model: str = "auto",
    effort: Effort = "normal",
    recipe: str | None = None,
    seed: Seed = 0,
    dedup: Annotated[bool, typer.Option("--dedup", help="Drop repeated words.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in RUN, with its options.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run in RUN.")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
    **options: Any,
) -> None:
    """Train a model on a list, and write it to a run folder.

    Tries several models, prints their losses and keeps the best on held-out words. With --model NAME, trains that model
    alone, and takes the options of models and recipes below. A killed run goes on with --resume; it takes its options
    from RUN, and more steps where --steps says so. With --overwrite, the run in RUN stays until the new one has ended;
    to go on with that one, if it was killed, give both.

    Example: mm-jax train towns.txt --out runs/towns
    """
    from mm_jax.tool import resuming, train
    from mm_jax.tool.model_options import parsed

    typed = {name for name in context.params if str(context.get_parameter_source(name)).endswith("COMMANDLINE")}
    if resume and "model" not in typed:
        model = resuming.model_of(out, overwrite) or model
    given = parsed(model, recipe, options)
    if path is None and not resume:
        raise typer.BadParameter("give the list to learn", param_hint="LIST")
    if quiet:
        hush()

    settings = {"seed": seed, "dedup": dedup, "effort": effort, "typed": typed}
    with busy("learning"):
        train.train(path, out, model, recipe, given, resume=resume, overwrite=overwrite, as_json=as_json, **settings)


@app.command()
def sample(
    run: RunFolder,
    n: Count = 20,
    temperature: Annotated[
        float | None, typer.Option(min=0.0, help="Below 1: likelier words; 0: the likeliest. Default: by list size.")
    ] = None,
    top_k: Annotated[
        int | None, typer.Option(min=1, max=MAX_COUNT, help="Draw among the k likeliest characters.")
    ] = None,
    prefix: Annotated[str, typer.Option(help="Beginning of every word.")] = "",
    suffix: Annotated[str, typer.Option(help="End of every word.")] = "",
    contains: Annotated[str, typer.Option(help="Part of every word.")] = "",
    regex: Annotated[str | None, typer.Option(help="Regular expression that matches some part of every word.")] = None,
    avoid: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Reject words that contain a line of this file, in any case.")
    ] = None,
    min_length: Annotated[
        int | None, typer.Option(min=0, max=MAX_COUNT, help="Default: the list's shortest word.")
    ] = None,
    max_length: Annotated[
        int | None, typer.Option(min=1, max=MAX_COUNT - 1, help="Default: the list's longest word.")
    ] = None,
    new: Annotated[bool, typer.Option("--new", help="Reject words of the list.")] = False,
    distinct: Annotated[bool, typer.Option("--distinct", help="Reject repeated words.")] = False,
    min_distance: Annotated[
        int, typer.Option(min=0, max=MAX_COUNT, help="Least number of edits from every word of the list.")
    ] = 0,
    scores: Annotated[
        bool, typer.Option("--scores", help="Print nats per character, percentile in the list, nearest word (edits).")
    ] = False,
    sort: Annotated[bool, typer.Option("--sort", help="Sort by likelihood.")] = False,
    form: Annotated[Literal["text", "csv", "tsv", "jsonl"], typer.Option("--format", help="Output format.")] = "text",
    budget: Annotated[
        int, typer.Option(min=1, max=MAX_COUNT, help="Bound on the words drawn, accepted or not.")
    ] = 100_000,
    seed: Annotated[int | None, typer.Option(min=0, max=2**32 - 1, help="Seed of random numbers. Default: 0.")] = None,
    random: Annotated[bool, typer.Option("--random", help="Choose a random seed, and print it.")] = False,
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

    used_seed = secrets.randbelow(2**31) if random else seed or 0
    bounds = conditions.Conditions(suffix, contains, min_length, max_length, new, distinct, min_distance, avoid, regex)
    options = {"prefix": prefix, "temperature": temperature, "top_k": top_k}
    display = conditions.Display(form, scores, sort)
    with busy("drawing words"):
        conditions.sample(run, n, bounds, options, budget, used_seed, display, as_json)
    if random:
        say(f"--seed {used_seed} gives the same words again")
    elif seed is None:
        say("seed 0, the same words every time: give --seed N or --random for others")


@app.command()
def compare(
    path: List,
    steps: Annotated[int, typer.Option(min=1, max=MAX_COUNT, help="Bound on the steps of every model.")] = 1500,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Train every model on a list, and print a table of their losses.

    Example: mm-jax compare towns.txt
    """
    if quiet:
        hush()
    from mm_jax.tool import train

    with busy("training"):
        train.compare(path, steps, as_json)


@app.command()
def mix(
    run: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Two or more folders written by `mm-jax train`.")],
    out: Annotated[Path, typer.Option(metavar="RUN", help="The folder to write.")],
    weights: Annotated[
        str | None, typer.Option(metavar="W,W,...", help="A weight for each run. Default: equal.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Mix runs into one, whose words resemble all of their lists.

    Example: mm-jax mix runs/dutch runs/japanese --weights 1,1 --out runs/both
    """
    if len(run) < 2:
        raise typer.BadParameter("give two runs or more", param_hint="RUN...")
    given = _weights(weights, len(run))
    from mm_jax.tool import commands

    with busy("mixing"):
        commands.mix(run, given, out, as_json)


def _weights(text: str | None, count: int) -> list[float]:
    """Parses the weights of `count` runs; raises typer.BadParameter for anything else."""
    if text is None:
        return [1.0] * count
    try:
        values = [float(part) for part in text.split(",")]
    except ValueError:
        values = []
    if len(values) != count or not all(0 < value < math.inf for value in values):
        raise typer.BadParameter(f"{text!r} is not {count} positive numbers, such as 1,2", param_hint="--weights")
    return values


@app.command()
def score(
    run: RunFolder,
    words: Annotated[list[str] | None, typer.Argument(metavar="WORD", help="Words to score.")] = None,
    file: Annotated[
        Path | None, typer.Option(metavar="LIST", help="Score a list, the least likely words first.")
    ] = None,
    n: Count = 20,
    as_json: Json = False,
) -> None:
    """Print how likely words are, or find the least likely words of a list.

    Example: mm-jax score runs/towns berlin --json
    """
    from mm_jax.tool import commands

    if bool(words) == bool(file):
        raise typer.BadParameter("give either words or --file LIST")
    if file:
        with busy("scoring"):
            commands.oddest(run, file, n, as_json)
    else:
        with busy("scoring"):
            commands.score(run, words or [], as_json)


@app.command(name="eval")
def evaluate(
    run: RunFolder,
    path: Annotated[Path | None, typer.Argument(metavar="[LIST]", help="Another list to evaluate.")] = None,
    as_json: Json = False,
) -> None:
    """Print the losses on train, dev and test, or on another list.

    Example: mm-jax eval runs/towns other_towns.txt
    """
    from mm_jax.tool import commands

    with busy("evaluating"):
        commands.evaluate(run, path, as_json)


@app.command()
def plot(run: RunFolder) -> None:
    """Draw tables, embeddings, losses and words as PNG files.

    Example: mm-jax plot runs/towns
    """
    from mm_jax.tool import commands

    with busy("drawing pictures"):
        commands.plot(run)


@app.command()
def page(
    run: RunFolder,
    out: Annotated[Path, typer.Option(metavar="HTML", help="The file to write.")],
    title: Annotated[str | None, typer.Option(help="Heading. Default: the name of the folder.")] = None,
    with_words: Annotated[bool, typer.Option("--with-words", help="Include a filter, to show only new words.")] = False,
    half: Annotated[bool, typer.Option("--half", help="Half precision, which halves the size.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
) -> None:
    """Write one HTML file that makes words in a browser, offline.

    Example: mm-jax page runs/towns --out towns.html --title "New towns"
    """
    from mm_jax.tool import commands

    with busy("writing the page"):
        commands.write_page(run, out, title, with_words=with_words, half=half, overwrite=overwrite)


@app.command()
def top(
    run: RunFolder,
    n: Count = 20,
    known: Annotated[bool, typer.Option("--known", help="Include words of the list.")] = False,
    prefix: Annotated[str, typer.Option(help="Beginning of every word.")] = "",
    min_length: Annotated[int, typer.Option(min=1, help="Shortest word, in characters.")] = 1,
    as_json: Json = False,
) -> None:
    """Print the most probable new words, with their probabilities.

    Example: mm-jax top runs/towns -n 10
    """
    from mm_jax.tool import commands

    with busy("searching"):
        commands.top(run, n, known, prefix, min_length, as_json)


@app.command()
def info(run: RunFolder, as_json: Json = False) -> None:
    """Print what a run folder holds.

    Example: mm-jax info runs/towns
    """
    from mm_jax.tool import commands

    with busy("reading the run"):
        commands.info(run, as_json)


def application(arguments: Sequence[str]) -> typer.Typer:
    """Returns the command; adds the options of models to `train`, which imports JAX, only if the arguments call it."""
    if next((argument for argument in arguments if not argument.startswith("-")), "") == "train":
        from mm_jax.tool import model_options

        model_options.extend(learn)
    return app
