"""Progress bars of training runs, and tables of losses and figures, for a terminal."""

import contextlib
import copy
import math
import signal
import time
from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table
from rich.text import Text

from mm_jax.evaluation import Evaluation
from mm_jax.output import busy, heard, plain
from mm_jax.training.loop import Progress as Step


@contextlib.contextmanager
def interruptible() -> Iterator[list[bool]]:
    """Makes the first Ctrl-C only append to the yielded list; the second interrupts as usual."""
    asked: list[bool] = []

    def on_interrupt(number, frame):
        signal.signal(signal.SIGINT, before)
        asked.append(True)

    before = signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)


def watch(run: Iterator[Step], steps: int, console: Console) -> Iterator[Step]:
    """Passes a run through and shows it: compile time, then a bar with loss, dev loss, steps/s and time left.

    Ctrl-C ends it after the current chunk and keeps the result so far. Without a terminal, prints plain lines.
    """
    bar = Progress(
        TextColumn("[progress.percentage]{task.completed:,}/{task.total:,} steps"),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[figures]}"),
        TimeRemainingColumn(compact=True),
        console=console,
        disable=not console.is_terminal or console.quiet,
    )
    started = time.perf_counter()
    with busy("compiling"):
        first = next(run)  # Ctrl-C still ends the process here: there is no result to keep
    console.print(f"compiled in {time.perf_counter() - started:.1f} s; {_loss(first)} before the first step")
    with interruptible() as interrupted:
        yield first
        with bar:
            begin, offset = time.perf_counter(), int(first.state.step)
            step, seconds = offset, 0.0
            task = bar.add_task("", total=steps, completed=offset, figures="")
            printed_at = 0.0
            for progress in run:
                heard()
                step, seconds = int(progress.state.step), time.perf_counter() - begin
                figures = f"{_loss(progress)}  {(step - offset) / seconds:,.0f} steps/s"
                bar.update(task, completed=step, figures=figures)
                if not console.is_terminal and (seconds > printed_at + 5 or step == steps):
                    console.print(f"{step:,}/{steps:,} steps  {figures}")
                    printed_at = seconds
                yield progress
                if interrupted:
                    break
        console.print(f"{step:,} steps in {seconds:.1f} s" + (" (stopped by Ctrl-C)" if interrupted else ""))


def _loss(progress: Step) -> str:
    parts = [f"loss {progress.loss.mean():.4f}"] if progress.loss.size else []
    return "  ".join(parts + ([] if progress.dev is None else [f"dev {progress.dev:.4f}"]))


def _figure(value: float) -> str:
    """Returns a figure of a table; blank for what does not exist, as the standard error of one word."""
    return "" if math.isnan(value) else f"{value:.4f}"


def losses_table(rows: dict[str, Evaluation], lecture: dict[str, str] | None = None) -> Table:
    """Makes a table with a row for each list of words: its nll, that of its unseen words, and their standard errors."""
    of_symbols = any(row.tokens != row.characters for row in rows.values())
    unit = "symbol" if of_symbols else "character"
    table = Table(title=f"nats per {unit}, end token included", title_justify="left", caption_justify="left")
    more = [*(["per character"] if of_symbols else []), *(["lecture"] if lecture else [])]
    for heading in ("", "words", "loss", "+-", "unseen words", "loss on them", "+-", *more):
        table.add_column(heading, justify="right" if heading else "left")
    for name, row in rows.items():
        unseen = [f"{row.words_unseen:,}", _figure(row.nll_unseen), _figure(row.stderr_unseen)]
        cells = [Text(plain(name)), f"{row.words:,}", _figure(row.nll), _figure(row.stderr)]
        cells += unseen if row.words_unseen else ["", "", ""]
        cells += [_figure(row.per_character)] if of_symbols else []
        table.add_row(*cells, *([lecture.get(name, "")] if lecture else []))
    return table


def show(table: Table, keep: Sequence[str] = ("loss", "dev", "per character", "loss on them", "unseen")) -> None:
    """Prints a table to stdout: all columns to a file, as many as fit to a terminal; digits are never cut."""
    console = Console(highlight=False)
    width = console.width if console.is_terminal else None
    narrow = fitted(table, width, keep)
    needed = Console(width=10**6).measure(narrow).maximum
    Console(highlight=False, width=max(needed, width or 1)).print(narrow, crop=False)


def fitted(table: Table, width: int | None, keep: Sequence[str]) -> Table:
    """Returns the table without the columns that do not fit `width`: drops the last first, those in `keep` at the end.

    The first column stays; it is folded if nothing else helps.
    """
    ruler = Console(width=10**6)
    rank = [-1, *(keep.index(c.header) if c.header in keep else len(keep) + i for i, c in enumerate(table.columns[1:]))]
    narrow = copy.copy(table)
    narrow.columns = [copy.copy(column) for column in table.columns]
    for column in narrow.columns:
        column.no_wrap = True
    if width is None:
        return narrow
    while len(narrow.columns) > 2 and ruler.measure(narrow).maximum > width:
        worst = rank.index(max(rank))
        del narrow.columns[worst], rank[worst]
    if ruler.measure(narrow).maximum > width:
        narrow.box, narrow.title, narrow.columns[0].no_wrap = None, None, False
        narrow.columns[0].overflow = "fold"
        figures = max(len(str(cell)) for cell in [narrow.columns[-1].header, *narrow.columns[-1].cells])
        narrow.columns[0].width = max(1, width - figures - 4)  # each column has a blank on both sides
    return narrow
