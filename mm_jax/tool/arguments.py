"""The commands of `mm-jax` and their arguments.

Results go to stdout, messages to stderr. The exit status is 0, 1 (the command failed) or 2 (bad usage). The commands
import JAX inside, so that `--help` answers at once; `application` adds the options of models to `train`.
"""

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

import mm_jax
from mm_jax.checks import counted
from mm_jax.output import busy, fail, give, hush, say
from mm_jax.shapes import PLAIN, Options
from mm_jax.tool.help import Command
from mm_jax.tool.list_options import List, ListOrNone, Units, takes_list

app = typer.Typer(
    name="mm-jax",
    help="Makes more of any list: learns its words character by character, and prints new ones.\n\n"
    "Example: mm-jax train towns.txt --out towns && mm-jax sample towns",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
    rich_markup_mode=None,
)

RunFolder = Annotated[Path, typer.Argument(metavar="RUN", help="A folder written by `mm-jax train`.")]
RunOrNone = Annotated[Path | None, typer.Argument(metavar="RUN", help="A folder written by `mm-jax train`.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
MAX_COUNT = 2**31 - 1  # the largest int32
Count = Annotated[int, typer.Option("-n", min=1, max=MAX_COUNT, help="Number of words.")]
Seed = Annotated[int, typer.Option(min=0, max=2**32 - 1, help="Seed of all random numbers.")]
Effort = Annotated[
    Literal["quick", "normal", "best", "page"],
    typer.Option(help="About 5 s, 40 s or 15 min of CPU, up to six times that for long lists; page: as makemore.html."),
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
@takes_list
def check(
    path: List,
    taken: Options = PLAIN,
    fix: Annotated[Path | None, typer.Option(metavar="OUT", help="Write a clean copy, one word a line.")] = None,
    as_json: Json = False,
) -> None:
    """Report what a list holds, and which of its lines are odd.

    Example: mm-jax check towns.txt --fix clean.txt
    """
    from mm_jax.tool import checking

    with busy("reading the list"):
        report = checking.check(path, taken)
    if fix and not report.needs_options:  # before the report, which may find no reader
        checking.write(report, fix)
    give(report.as_dict(), as_json, checking.render(report))
    if report.needs_options:
        fail(f"{path} is not one word a line in UTF-8: `mm-jax train` needs an option that stands above")
    if report.refused and not fix:
        lines = counted(report.refused, "line")
        fail(f"{lines} cannot be read: --fix OUT writes a list without {'it' if report.refused == 1 else 'them'}")


@app.command("train")
@takes_list
def learn(
    context: Any,  # a typer.Context, by `model_options.extend`
    path: ListOrNone = None,
    *,
    out: Annotated[Path, typer.Option(metavar="RUN", help="The folder to write.")],
    model: str = "auto",
    effort: Effort = "normal",
    recipe: str | None = None,
    taken: Options = PLAIN,
    units: Units = None,
    seed: Seed = 0,
    dedup: Annotated[bool, typer.Option("--dedup", help="Drop repeated words.")] = False,
    no_prior: Annotated[bool, typer.Option("--no-prior", help="Leave out the network that read other lists.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Continue the run in RUN, with its options.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace the run in RUN.")] = False,
    quiet: Quiet = False,
    as_json: Json = False,
    **options: Any,
) -> None:
    """Train a model on a list, and write it to a run folder.

    Tries several models, prints their losses and keeps the best on held-out words. With --model NAME, trains that model
    alone, and takes the options of models and recipes below. A killed run goes on with --resume, with its own options
    or more --steps. With --overwrite, the run in RUN stays until the new one has ended; to go on with that, give both.

    Example: mm-jax train towns.txt --out runs/towns
    """
    from mm_jax.tool import resuming, train
    from mm_jax.tool.model_options import parsed

    typed = resuming.typed_in(context)
    if resume:
        model, units = resuming.begun_with(out, overwrite, typed, model, units)
    given = parsed(model, recipe, options, not no_prior)
    if dedup and taken.counts is not None:
        raise typer.BadParameter("give either --dedup or --counts")
    if path is None and not resume:
        raise typer.BadParameter("give the list to learn", param_hint="LIST")
    if quiet:
        hush()
    settings = {"seed": seed, "dedup": dedup, "effort": effort, "prior": not no_prior, "taken": taken, "typed": typed}
    settings |= {"units": units, "resume": resume, "overwrite": overwrite, "as_json": as_json}
    with busy("learning"):
        train.train(path, out, model, recipe, given, **settings)


@app.command()
def sample(
    run: RunFolder,
    n: Count = 20,
    temperature: Annotated[
        float | None, typer.Option(min=0.0, help="Below 1: likelier words; 0: the likeliest. Default: by list size.")
    ] = None,
    top_k: Annotated[int | None, typer.Option(min=1, max=MAX_COUNT, help="Draw among the k likeliest symbols.")] = None,
    top_p: Annotated[float | None, typer.Option(help="Draw among the likeliest that make up this probability.")] = None,
    prefix: Annotated[str, typer.Option(help="Beginning of every word.")] = "",
    suffix: Annotated[str, typer.Option(help="End of every word.")] = "",
    contains: Annotated[str, typer.Option(help="Part of every word.")] = "",
    regex: Annotated[str | None, typer.Option(help="Regular expression that matches some part of every word.")] = None,
    avoid: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Reject words that contain a line of this file, in any case.")
    ] = None,
    like: Annotated[
        str | None,
        typer.Option(metavar="WORD", help="Of its length, with vowels and consonants where it has them."),
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
    program: Annotated[
        str | None,
        typer.Option("--filter", metavar="PROGRAM", help="Keep words for which it exits with 0; a word on its stdin."),
    ] = None,
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
    from mm_jax.conditions import Conditions
    from mm_jax.tool import sampling
    from mm_jax.words import load_words

    used_seed = secrets.randbelow(2**31) if random else seed or 0
    conditions = Conditions(
        suffix=suffix,
        contains=contains,
        regex=regex,
        min_length=min_length,
        max_length=max_length,
        new=new,
        distinct=distinct,
        min_distance=min_distance,
        avoid=load_words(avoid) if avoid else (),
        like=like,
        accept=sampling.kept_by(program) if program else None,
    )
    options = {"prefix": prefix, "temperature": temperature, "top_k": top_k, "top_p": top_p}
    display = sampling.Display(form, scores, sort)
    with busy("drawing words"):
        sampling.sample(run, n, conditions, options, budget, used_seed, display, as_json)
    if random:
        say(f"--seed {used_seed} gives the same words again")
    elif seed is None:
        say("seed 0, the same words every time: give --seed N or --random for others")


@app.command()
@takes_list
def compare(
    path: List,
    taken: Options = PLAIN,
    units: Units = None,
    steps: Annotated[int, typer.Option(min=1, max=MAX_COUNT, help="Bound on the steps of every model.")] = 1500,
    quiet: Quiet = False,
    as_json: Json = False,
) -> None:
    """Train all models but the prior on a list, and print the losses.

    Example: mm-jax compare towns.txt
    """
    if quiet:
        hush()
    from mm_jax.tool import train

    with busy("training"):
        train.compare(path, steps, as_json, taken, units)


@app.command()
def mix(
    run: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Two or more folders written by `mm-jax train`.")],
    out: Annotated[Path, typer.Option(metavar="RUN", help="The folder to write.")],
    weights: Annotated[
        str | None, typer.Option(metavar="W,W,...", help="A weight for each run. Default: equal.")
    ] = None,
    both: Annotated[
        bool, typer.Option("--both", help="Words at home in every list at once, in place of one list or the other.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Mix runs into one, whose words resemble all of their lists.

    Without --both a weight is the share of a run in the probability of each next character. With it, runs are
    multiplied, and a weight is the power of a run's probabilities, 1 by default: larger ones keep closer to its list.

    Example: mm-jax mix runs/dutch runs/japanese --weights 1,1 --out runs/both
    """
    if len(run) < 2:
        raise typer.BadParameter("give two runs or more", param_hint="RUN...")
    from mm_jax.tool import mixing

    given = mixing.parsed(weights, len(run))
    with busy("mixing"):
        mixing.mix(run, given, out, as_json, both)


@app.command()
@takes_list
def score(
    run: RunFolder,
    words: Annotated[list[str] | None, typer.Argument(metavar="WORD", help="Words to score.")] = None,
    file: Annotated[
        Path | None, typer.Option(metavar="LIST", help="Score a list, the least likely words first.")
    ] = None,
    taken: Options = PLAIN,
    n: Count = 20,
    as_json: Json = False,
) -> None:
    """Print how likely words are, or the least likely of a list.

    Example: mm-jax score runs/towns berlin --json
    """
    from mm_jax.tool import commands

    if bool(words) == bool(file):
        raise typer.BadParameter("give either words or --file LIST")
    with busy("scoring"):
        if file:
            commands.oddest(run, file, n, as_json, taken)
        else:
            commands.score(run, words or [], as_json)


@app.command(name="eval")
@takes_list
def evaluate(
    run: RunFolder,
    path: Annotated[Path | None, typer.Argument(metavar="LIST", help="Another list to evaluate.")] = None,
    taken: Options = PLAIN,
    as_json: Json = False,
) -> None:
    """Print the losses on train, dev and test, or on another list.

    Example: mm-jax eval runs/towns other_towns.txt
    """
    from mm_jax.tool import commands

    with busy("evaluating"):
        commands.evaluate(run, path, as_json, taken)


@app.command()
def plot(run: RunFolder) -> None:
    """Draw tables, embeddings, losses and words as PNG files in RUN.

    Example: mm-jax plot runs/towns
    """
    from mm_jax.tool import commands

    with busy("drawing pictures"):
        commands.plot(run)


@app.command()
def page(
    run: RunOrNone = None,
    *,
    out: Annotated[Path, typer.Option(metavar="HTML", help="The file to write.")],
    title: Annotated[str | None, typer.Option(help="Heading. Default: the name of the folder.")] = None,
    with_words: Annotated[bool, typer.Option("--with-words", help="Include a filter, to show only new words.")] = False,
    half: Annotated[bool, typer.Option("--half", help="Half precision, which halves the size.")] = False,
    learn: Annotated[bool, typer.Option("--learn", help="Let the page learn a list too; it needs no RUN.")] = False,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an existing file.")] = False,
) -> None:
    """Write one HTML file that makes words in a browser, offline.

    Example: mm-jax page runs/towns --out towns.html --title "New towns"
    """
    from mm_jax.tool import commands

    with busy("writing the page"):
        commands.write_page(run, out, title, with_words=with_words, half=half, learn=learn, overwrite=overwrite)


@app.command()
def top(
    run: RunFolder,
    n: Count = 20,
    known: Annotated[bool, typer.Option("--known", help="Include words of the list.")] = False,
    prefix: Annotated[str, typer.Option(help="Beginning of every word.")] = "",
    min_length: Annotated[
        int | None, typer.Option(min=1, max=MAX_COUNT, help="Default: the list's shortest word.")
    ] = None,
    max_length: Annotated[
        int | None, typer.Option(min=1, max=MAX_COUNT - 1, help="Default: the list's longest word.")
    ] = None,
    budget: Annotated[
        int | None,
        typer.Option(min=1, max=MAX_COUNT, help="Bound on the beginnings looked at. Default: up to 50,000."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Print the most probable new words, with their probabilities.

    Example: mm-jax top runs/towns -n 10
    """
    from mm_jax.tool import commands

    with busy("searching"):
        commands.top(run, n, known, prefix, (min_length, max_length), budget, as_json)


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


for _registered in app.registered_commands:
    _registered.cls = Command
