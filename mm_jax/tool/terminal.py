"""What a person sees: the progress bar of a training run, and tables of losses and of figures."""

import contextlib
import signal
import time
from collections.abc import Iterator

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from mm_jax.evaluation import Evaluation
from mm_jax.training.loop import Progress as Step


@contextlib.contextmanager
def interruptible() -> Iterator[list[bool]]:
    """While this runs, the first Ctrl-C only makes the list non-empty; the second interrupts as usual."""
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
    """Passes a run through, showing it: compile time, then a bar with loss, dev loss, steps/s and time left.

    Ctrl-C ends it after the chunk in hand, with all that was reached. Without a terminal there are plain lines.
    """
    bar = Progress(
        TextColumn("[progress.percentage]{task.completed:,}/{task.total:,} steps"),
        BarColumn(bar_width=20),
        TextColumn("{task.fields[figures]}"),
        TimeRemainingColumn(compact=True),
        console=console,
        disable=not console.is_terminal or console.quiet,
    )
    with interruptible() as interrupted:
        started = time.perf_counter()
        first = next(run)
        console.print(f"compiled in {time.perf_counter() - started:.1f} s; {_loss(first)} before the first step")
        yield first
        with bar:
            begin, offset = time.perf_counter(), int(first.state.step)
            step, seconds = offset, 0.0
            task = bar.add_task("", total=steps, completed=offset, figures="")
            told = 0.0
            for progress in run:
                step, seconds = int(progress.state.step), time.perf_counter() - begin
                figures = f"{_loss(progress)}  {(step - offset) / seconds:,.0f} steps/s"
                bar.update(task, completed=step, figures=figures)
                if not console.is_terminal and (seconds > told + 5 or step == steps):
                    console.print(f"{step:,}/{steps:,} steps  {figures}")
                    told = seconds
                yield progress
                if interrupted:
                    break
        console.print(f"{step:,} steps in {seconds:.1f} s" + (" (stopped by Ctrl-C)" if interrupted else ""))


def _loss(progress: Step) -> str:
    parts = [f"loss {progress.loss.mean():.4f}"] if progress.loss.size else []
    return "  ".join(parts + ([] if progress.dev is None else [f"dev {progress.dev:.4f}"]))


def losses_table(rows: dict[str, Evaluation], lecture: dict[str, str] | None = None) -> Table:
    """One row a list of words: its nll, and that over its words not seen in training, each with its standard error."""
    table = Table(title="nats per character, end token included", title_justify="left", caption_justify="left")
    for heading in ("", "words", "loss", "+-", "unseen words", "loss on them", "+-", *(["lecture"] if lecture else [])):
        table.add_column(heading, justify="right" if heading else "left")
    for name, row in rows.items():
        unseen = [f"{row.words_unseen:,}", f"{row.nll_unseen:.4f}", f"{row.stderr_unseen:.4f}"]
        cells = [name, f"{row.words:,}", f"{row.nll:.4f}", f"{row.stderr:.4f}"]
        cells += unseen if row.words_unseen else ["", "", ""]
        table.add_row(*cells, *([lecture.get(name, "")] if lecture else []))
    return table
