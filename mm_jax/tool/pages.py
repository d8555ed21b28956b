"""What `mm-jax page` does: a run folder as one HTML file."""

from datetime import date
from pathlib import Path

from mm_jax import page
from mm_jax.evaluation import evaluate
from mm_jax.page.pack import rounded
from mm_jax.tool import conditions, runs
from mm_jax.tool.output import say


def write(folder: Path, out: Path, title: str | None, *, with_words: bool, half: bool, overwrite: bool) -> None:
    """Writes the page; ValueError as `page.write` says, before anything is evaluated where the file is there."""
    page.check_free(out, overwrite)
    run = runs.open_run(folder)
    params = rounded(run.params) if half else run.params
    losses = {name: evaluate(params, part, seen=run.split.train) for name, part in run.split._asdict().items() if part}
    labels = page.texts()["card"]
    card = {
        labels["loss"].format(name=name): labels["loss_text"].format(nll=f"{each.nll:.4f}", stderr=f"{each.stderr:.4f}")
        for name, each in losses.items()
    }
    card[labels["learned"]] = labels["learned_text"].format(
        train=f"{len(run.split.train):,}", all=f"{len(run.words):,}"
    )
    card[labels["recipe"]] = ", ".join(f"{name} {value}" for name, value in run.plan.items() if value or name == "seed")
    card[labels["made"]] = labels["made_text"].format(date=date.today().isoformat(), generator=page.GENERATOR)
    page.write(
        params,
        out,
        words=run.words,
        title=title or folder.resolve().name,
        with_words=with_words,
        half=half,
        card=card,
        temperature=conditions.temperature_for(len(run.words)),
        lengths=conditions.lengths_for(run.words),
        overwrite=overwrite,
    )
    say(f"wrote {out}: {out.stat().st_size / 1024:,.0f} KiB")
