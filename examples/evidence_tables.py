"""What evidence.csv and prior.csv say: tables in Markdown and three pictures, written where the READMEs show them."""

import json
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
import prior_table
from evidence_plan import (
    NAMES_TRAIN,
    NAMES_TXT,
    PAIRS,
    SAME,
    SHARES,
    SIZES,
    SPLITS,
    UNITS,
    WAYS,
    Run,
    key_of,
    read_rows,
)

import mm_jax

HERE = Path(__file__).parent
TITLES = {"counts": "bigram, counted", "mlp": "MLP", "bow": "bag of words", "rnn": "RNN", "gru": "GRU"}
TITLES |= {"wavenet": "WaveNet", "ngram": "n-gram"}
JOINED = {"mixture": "n-gram + GRU + transformer, mixed", "product": "n-gram x GRU x transformer, multiplied"}
Rows = dict[Run, dict[str, str]]


def table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table in Markdown."""
    heads = list(heads)
    lines = [heads, ["--"] * len(heads), *map(list, rows)]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def rungs(rows: Rows) -> dict[str, list[dict[str, str]]]:
    """The runs of each rung of the ladder by its name, the best rung on dev last."""
    found: dict[str, list[dict[str, str]]] = {}
    for run, row in rows.items():
        if run.table == "ladder":
            found.setdefault(name_of(run), []).append(row)
    return dict(sorted(found.items(), key=lambda item: -mean(item[1], "dev")))


def name_of(run: Run) -> str:
    if run.model == "ngram":
        return f"n-gram, order {json.loads(run.options)['order']}"
    if run.model in WAYS:
        return JOINED[run.model]
    name = TITLES.get(run.model, run.model)
    return name if run.recipe in ("", "tuned") and run.model != "mlp" else f"{name}, {run.recipe}"


def seconds(rows: Rows, found: list[dict[str, str]]) -> float:
    """CPU seconds of a rung; of models that are joined the sum of theirs, which may have been there already."""
    run = key_of(found[0])
    if run.model not in WAYS:
        return mean(found, "cpu_s")
    members = [name.split() for name in run.recipe.split(" + ")]
    return sum(
        mean([row for one, row in rows.items() if (one.table, one.model, one.recipe) == ("ladder", *member)], "cpu_s")
        for member in members
        if member[0] != "ngram"  # a tenth of a second
    )


def mean(rows: list[dict[str, str]], column: str) -> float:
    values = [float(row[column]) for row in rows if row[column] not in ("", "nan")]
    return float(np.mean(values)) if values else float("nan")


def spreads(rows: list[dict[str, str]], column: str = "dev") -> tuple[float, float]:
    """The standard deviation of a loss over seeds, within splits; and that over splits, of the means of their seeds."""
    by_split = [[float(row[column]) for row in rows if int(row["split"]) == split] for split in SPLITS]
    several = [values for values in by_split if len(values) > 1]
    seeds = float(np.sqrt(np.mean([np.var(values, ddof=1) for values in several]))) if several else float("nan")
    means = [np.mean(values) for values in by_split if values]
    return seeds, float(np.std(means, ddof=1)) if len(means) > 1 else float("nan")


def shown(value: float, digits: int = 4) -> str:
    return "" if np.isnan(value) else f"{value:.{digits}f}"


def ladder_table(rows: Rows) -> str:
    """Every rung in short: how it does, and how far that moves with seed and split."""
    heads = ("model", "numbers", "CPU s", "dev", "+- claimed", "over seeds", "over splits", "unseen", "test")
    lines = []
    for name, found in rungs(rows).items():
        lines.append((
            *size_and_seconds(rows, name, found), shown(mean(found, "dev")), shown(mean(found, "dev_se")),
            *map(shown, spreads(found)), shown(mean(found, "unseen")), shown(mean(found, "test")),
        ))  # fmt: skip
    return table(heads, lines)


def best_table(rows: Rows) -> str:
    """The best rung of each kind of model, and the lecture's, which the others are compared with."""
    best, lines = {}, []
    for name, found in rungs(rows).items():  # the best rung of a kind comes last
        model = key_of(found[0]).model
        best["several" if model in WAYS else model] = name
    for name, found in rungs(rows).items():
        if name in best.values() or key_of(found[0]).recipe == "lecture":
            losses = (shown(mean(found, column)) for column in ("dev", "dev_se", "unseen", "test"))
            lines.append((*size_and_seconds(rows, name, found), *losses))
    return table(("model", "numbers", "CPU s", "dev", "+-", "unseen", "test"), lines)


def size_and_seconds(rows: Rows, name: str, found: list[dict[str, str]]) -> tuple[str, str, str]:
    return name, f"{mean(found, 'numbers'):,.0f}", shown(seconds(rows, found), 1)


def spreads_table(rows: Rows) -> str:
    """The standard error that `evaluate` claims beside the spreads seen, on three kinds of words."""
    heads = ["model", "runs"]
    for words in ("dev", "unseen", "no repeats"):
        heads += [words, "+- claimed", "over splits", "over seeds"]
    lines = []
    for name, found in rungs(rows).items():
        run = key_of(found[0])
        same = (run.model, run.recipe, run.options)
        once = [row for other, row in rows.items()
                if other.table == "no repeats" and (other.model, other.recipe, other.options) == same]  # fmt: skip
        cells = [name, str(len(found))]
        for these, column in ((found, "dev"), (found, "unseen"), (once, "dev")):
            seeds, splits = spreads(these, column)
            cells += map(shown, (mean(these, column), mean(these, f"{column}_se"), splits, seeds))
        lines.append(cells)
    return table(heads, lines)


def corrected(rows: Rows) -> str:
    """The product with the correction for lists that repeat little, which is a figure of another kind."""
    found = [row for run, row in rows.items() if run.model == "product" and row["corrected"]]
    if not found:
        return ""
    return f"The product corrected for a list that repeats little (`mm_jax.fresh`): {mean(found, 'corrected'):.4f}."


def pairs_table(rows: Rows) -> str:
    """Each option of a recipe: what leaving it out, or taking it, costs, with the standard error over pairs."""
    heads = ("model", "change", "dev, at equal steps", "CPU s of a step", "dev, at equal CPU s", "pairs")
    lines = []
    for own, changed in PAIRS.items():
        for changes in changed:
            pairs = paired(rows, own, changes)
            if not pairs:
                continue
            ratio = float(np.median([float(row["cpu_s"]) / float(one["cpu_s"]) for one, row in pairs]))
            same = abs(1 / ratio - 1) <= SAME
            again = paired(rows, own, changes, again=True)
            found = difference(again) if again else "the same" if same else "not run"
            lines.append((recipe_of(own), listed(changes), difference(pairs), f"{ratio:.2f}", found, str(len(pairs))))
    mixture, product = WAYS
    pairs = [(rows[replace(run, model=mixture)], row)
             for run, row in rows.items() if run.table == "ladder" and run.model == product]  # fmt: skip
    if pairs:
        lines.append(("n-gram, GRU, transformer", "multiplied, not mixed", difference(pairs), "", "", str(len(pairs))))
    return table(heads, lines)


def recipe_of(own: Run) -> str:
    """The model and recipe that a pair's first run is of; of which list, where it is not the lecture's."""
    recipe = [own.recipe] if own.recipe != "tuned" else []
    changes = [listed(json.loads(own.changes))] if own.changes != "{}" else []
    data = [own.data] if own.data != NAMES_TXT else []
    return ", ".join([TITLES.get(own.model, own.model), *recipe, *changes, *data])


def listed(changes: dict) -> str:
    return ", ".join("from a stream" if name == "stream" else f"`{name}={value}`" for name, value in changes.items())


def paired(rows: Rows, own: Run, changes: dict, *, again: bool = False) -> list[tuple[dict, dict]]:
    """The rows of a recipe and of the changed one on the same splits and seeds; again: at equal CPU seconds."""
    wanted, others = json.loads(own.changes) | changes, {}
    for run, row in rows.items():
        if (run.table, run.model, run.recipe, run.data) == ("pairs", own.model, own.recipe, own.data):
            found = json.loads(run.changes)
            if (found.pop("times", None) is not None) == again and found == wanted:
                others[run.split] = row
    return [(rows[own.but(i)], others[i]) for i in SPLITS if own.but(i) in rows and i in others]


def difference(pairs: list[tuple[dict[str, str], dict[str, str]]], column: str = "dev", digits: int = 4) -> str:
    """How much higher the second of each pair is, +- the standard error; bold beyond two of these."""
    own, other = (np.array([float(row[column]) for row in side]) for side in zip(*pairs, strict=True))
    found = mm_jax.compare_paired(other, own)
    text = f"{found.mean:+.{digits}f} +- {found.stderr:.{digits}f}"
    return f"**{text}**" if abs(found.mean) > 2 * found.stderr else text


def units_table(rows: Rows) -> str:
    """Lists cut into symbols of several kinds; nats of a word compare, with the first cut in pairs."""
    heads = (
        "list",
        "cut into",
        "model",
        "numbers",
        "CPU s",
        "a symbol",
        "a character",
        "a word",
        "beside the first cut",
    )
    lines = []
    for lists, _ in UNITS:
        for model in ("ngram", "gru"):
            cuts = [{run.split: row for run, row in rows.items()
                     if (run.table, run.model, run.data) == ("units", model, data)} for data in lists]  # fmt: skip
            for data, cut in zip(lists, cuts, strict=True):
                name, _, units = data.partition(" by ")
                found = list(cut.values())
                if not found:
                    continue
                means = (shown(mean(found, column), 3) for column in ("dev", "per_character", "per_word"))
                pairs = [(cuts[0][split], row) for split, row in cut.items() if split in cuts[0]]
                beside = "" if cut is cuts[0] or not pairs else difference(pairs, "per_word", 3)
                lines.append((name, units, *size_and_seconds(rows, TITLES[model], found), *means, beside))
    return table(heads, lines)


def by_size(rows: Rows) -> dict[str, list[float]]:
    """Dev losses at each share of the training words, means over splits; of n-grams the best order's."""
    found: dict[str, list[float]] = {}
    losses: dict[tuple[str, float, int], list[tuple[str, float]]] = {}
    for run, row in rows.items():
        if run.table == "sizes":
            losses.setdefault((run.model, run.share, run.split), []).append((run.options, float(row["dev"])))
    splits = sorted({split for _, _, split in losses})
    for share in SHARES:
        orders = [min(loss for _, loss in losses[key]) for s in splits if (key := ("ngram", share, s)) in losses]
        found.setdefault("n-gram, best order", []).append(float(np.mean(orders)) if orders else float("nan"))
        for (model, _), (_, sizes) in SIZES.items():
            for options in sizes:
                values = [loss for s in splits for given, loss in losses.get((model, share, s), [])
                          if given == json.dumps(options)]  # fmt: skip
                found.setdefault(title(model, options), []).append(float(np.mean(values)) if values else float("nan"))
    return found


def title(model: str, options: dict) -> str:
    width = options.get("hidden_dim") or f"{options['num_layers']} x {options['width']}"
    return f"{TITLES.get(model, model)}, {width}"


def power_law(words: np.ndarray, losses: np.ndarray) -> tuple[float, float, float] | None:
    """floor, factor, exponent of floor + factor * words^-exponent within 0.01 of all losses; None where none is.

    For each exponent of a grid the rest is linear least squares. An exponent at the grid's lower end is a logarithm in
    disguise, whose floor means nothing: none fits.
    """
    laws = []
    for exponent in np.linspace(0.05, 1.0, 191):
        A = np.stack([np.ones_like(words), words**-exponent], axis=1)
        (floor, factor), *_ = np.linalg.lstsq(A, losses, rcond=None)
        laws.append((float(np.abs(A @ [floor, factor] - losses).max()), float(floor), float(factor), float(exponent)))
    gap, *law = min(laws)
    return (law[0], law[1], law[2]) if gap < 0.01 and law[2] > 0.06 else None


def sizes_table(rows: Rows) -> str:
    """Losses by the number of training words, the lowest of each column bold; and the power law, where one fits."""
    found = {name: losses for name, losses in by_size(rows).items() if not np.isnan(losses).any()}
    words = np.array([round(share * NAMES_TRAIN) for share in SHARES], float)
    lowest = [min((losses[i] for losses in found.values()), default=0.0) for i in range(len(SHARES))]
    lines = []
    for name, losses in found.items():
        cells = [f"**{loss:.3f}**" if loss == low else shown(loss, 3) for loss, low in zip(losses, lowest, strict=True)]
        law = power_law(words, np.array(losses))
        fall = f"{losses[-3] - losses[-1]:.3f}"
        lines.append((name, *cells, fall, f"{law[0]:.2f} + {law[1]:.1f} n^-{law[2]:.2f}" if law else "none"))
    return table(("words", *(f"{n:,.0f}" for n in words), "by the last tenfold", "power law, within 0.01"), lines)


def ladder_picture(rows: Rows, path: Path) -> None:
    """Every run a dot; the mean with two claimed standard errors to each side."""
    import matplotlib.pyplot as plt

    found = rungs(rows)
    figure, ax = plt.subplots(figsize=(8, 0.42 * len(found) + 1), layout="constrained")
    for place, each in enumerate(found.values()):
        middle, error = mean(each, "dev"), mean(each, "dev_se")
        for row in each:
            ax.plot(
                float(row["dev"]), place + 0.1 * (int(row["split"]) - 2), ".", color=f"C{row['split']}", markersize=4
            )
        ax.errorbar(middle, place, xerr=2 * error, fmt="|", color="black", capsize=3, linewidth=1)
        ax.annotate(f"{middle:.3f}", (middle + 2 * error, place), (5, -3), textcoords="offset points", fontsize=8)
    ax.set_yticks(range(len(found)), list(found))
    ax.set_title("Dots are runs, a color a split; bars two claimed standard errors", fontsize=10)
    ax.set_xlabel("nats per character on dev")
    ax.invert_yaxis()
    ax.grid(axis="x", alpha=0.3)
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)


def sizes_picture(rows: Rows, path: Path) -> None:
    """Losses by the number of training words."""
    import matplotlib.pyplot as plt

    figure, ax = plt.subplots(figsize=(8, 4.5), layout="constrained")
    drawn: list[str] = []
    for name, losses in by_size(rows).items():
        kind = name.split(",")[0]
        style = ("-", "--", ":")[drawn.count(kind)]
        drawn.append(kind)
        color = f"C{len(set(drawn)) - 1}"
        ax.plot([share * NAMES_TRAIN for share in SHARES], losses, style, marker=".", color=color, label=name)
    ax.set_xscale("log")
    ax.set_xlabel("training words")
    ax.set_ylabel("nats per character on dev")
    ax.grid(alpha=0.3)
    ax.legend(fontsize=8)
    figure.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(figure)


def between(text: str, mark: str, new: str) -> str:
    """The text with `new` between the comments `mark: begin` and `mark: end`."""
    begin, end = f"<!-- {mark}: begin -->\n", f"<!-- {mark}: end -->"
    before, rest = text.split(begin)
    return before + begin + new + "\n" + end + rest.split(end)[1]


def parts() -> dict[str, tuple[Path, str]]:
    """What is written where: the mark of a place, its file, its text."""
    rows = {key_of(row): row for row in read_rows()}
    here = {
        "rungs": ladder_table(rows) + "\n\n" + corrected(rows),
        "spreads": spreads_table(rows),
        "pairs": pairs_table(rows),
        "units": units_table(rows),
        "sizes": sizes_table(rows),
        "prior": "\n".join(prior_table.table(prior_table.read())),
    }
    readme = HERE / "README.md"
    return {"evidence": (HERE.parent / "README.md", best_table(rows))} | {mark: (readme, here[mark]) for mark in here}


def write() -> None:
    """Prints the tables; writes them into the READMEs, and the pictures."""
    for mark, (path, text) in parts().items():
        print(text, end="\n\n")
        page = path.read_text(encoding="utf-8")
        if (new := between(page, mark, text)) != page:
            path.write_text(new, encoding="utf-8")
    rows = {key_of(row): row for row in read_rows()}
    ladder_picture(rows, HERE / "pictures" / "evidence.png")
    sizes_picture(rows, HERE / "pictures" / "sizes.png")
    prior_table.draw(prior_table.read())
