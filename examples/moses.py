"""Trains models on the molecules of MOSES, and measures what they make as its authors do.

    pip install -e '.[moses]'          # rdkit and fcd_torch, which brings PyTorch: best in an environment of their own
    python examples/moses.py --model gru --out moses

MOSES (Polykovskiy et al. 2020, https://arxiv.org/abs/1811.12823) is a benchmark: 1,584,663 molecules as SMILES strings
to learn from, 30,000 strings to make, and a table of models that did so. Each row here is a run of `mm-jax train` with
the options in ROWS, so that it can be stopped, and goes on when it is started again; its model, its samples and its
metrics are kept in --out.

The molecules come out of the wheel `molsets` 0.3.1, which pip fetches; its code, which today's rdkit does not run, is
not installed. ChemNet's statistics of the test set are in it too; they are pickled, so the wheel's hash is checked.
"""

import argparse
import csv
import gzip
import hashlib
import io
import json
import resource
import subprocess
import sys
import zipfile
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np

WHEEL = "molsets-0.3.1-py3-none-any.whl"
SHA256 = "7f4450e3ebecebe79c3a2a55950c93daddee071120daf64a163d03481e811d34"
SEED = 0
HELD_OUT = 5_000  # molecules that a product's powers are fitted on
# What `mm-jax train` is told for each row. So many molecules are not overfitted: no teacher, no dropout.
PLAIN = ["--teach", "0", "--weight-decay", "0.01"]
STEPS = ["--optimizer", "muon", "--lr", "0.02", "--steps", "27000"]
ROWS: dict[str, list[str]] = {
    "ngram": ["--model", "ngram", "--order", "17"],
    "gru": ["--model", "gru", *PLAIN, "--drop-tokens", "0", "--hidden-dim", "512", "--batch-size", "96", *STEPS],
    "default": [],
}
NETWORKS = ("gru", "transformer")
MEMBERS = ("ngram", "gru")  # of the row "product", which have to be trained before it
COLUMNS = {
    "valid": "valid",
    "unique@1k": "unique@1k",
    "unique@10k": "unique@10k",
    "fcd": "FCD/test",
    "snn": "SNN/test",
    "snn_scaffolds": "SNN/test-scaf",
    "frag": "Frag/test",
    "scaf": "Scaf/test",
    "scaf_scaffolds": "Scaf/test-scaf",
    "diversity": "IntDiv",
    "novelty": "novelty",
}


def main(args: argparse.Namespace) -> None:
    """Trains, draws and measures what has not been done before, and prints the row."""
    if args.samples < 2:
        raise ValueError(f"--samples is {args.samples}: give 2 or more")
    if args.steps is not None and args.model not in NETWORKS:
        raise ValueError(f"--steps says how long a network is trained: leave it out for {args.model}")
    if args.steps is not None and args.steps < 1:
        raise ValueError(f"--steps is {args.steps}: give 1 or more")
    metrics = needed()
    folder = args.out / args.model
    folder.mkdir(parents=True, exist_ok=True)
    wheel = found_wheel(args.wheel, args.out)
    train = molecules(wheel, "train")
    if args.model == "train":
        about, words = {}, np.random.default_rng(SEED).choice(train, args.samples, replace=False).tolist()
    else:
        about = trained(args, train)
        words = drawn(folder, Path(about["model"]), args)
    found = about | measured(words, train, reference(wheel, args.out, metrics), metrics)
    (folder / f"metrics-{drawing(args)}.json").write_text(json.dumps(found, indent=1))
    show(args.model, found)


def needed() -> Any:
    """Returns the module of metrics; ValueError where what it needs is not installed."""
    try:
        import fcd_torch  # noqa: F401  # pyright: ignore[reportMissingImports]
        import moses_metrics
    except ModuleNotFoundError as error:
        raise ValueError(f"{error.name} is not installed: pip install -e '.[moses]'") from None
    return moses_metrics


def found_wheel(given: Path | None, out: Path) -> Path:
    """Returns the wheel that holds the molecules: the given one, or pip's, which is kept in `out`.

    Raises ValueError where there is none, or another.
    """
    wheel = given or out / WHEEL
    if given is None and not wheel.exists():
        options = ["--no-deps", "--quiet", "--retries", "0", "--timeout", "10", "--dest", str(out)]
        job = [sys.executable, "-m", "pip", "download", "molsets==0.3.1", "--only-binary", ":all:", *options]
        if subprocess.run(job, capture_output=True).returncode:
            raise ValueError("pip cannot fetch molsets 0.3.1: give the file by --wheel, or try again with a network")
    if not wheel.is_file():
        raise ValueError(f"{wheel} is no file: give the path of {WHEEL}")
    if hashlib.sha256(wheel.read_bytes()).hexdigest() != SHA256:
        raise ValueError(f"{wheel} is not {WHEEL} as published: fetch it again")
    return wheel


def molecules(wheel: Path, part: str) -> list[str]:
    """Returns the SMILES strings of train, test or test_scaffolds."""
    with zipfile.ZipFile(wheel) as files:
        text = gzip.decompress(files.read(f"moses/dataset/data/{part}.csv.gz")).decode()
    return [row["SMILES"] for row in csv.DictReader(io.StringIO(text))]


def trained(args: argparse.Namespace, train: list[str]) -> dict[str, Any]:
    """Trains the model of a row, or goes on with it; returns the path of its file, its numbers and CPU minutes."""
    import mm_jax

    file = args.out / args.model / "row.json"
    if file.exists() and args.steps is None:
        return json.loads(file.read_text())
    model, seconds = multiplied(args.out) if args.model == "product" else run_tool(args, train)
    about = {"model": str(model), "numbers": mm_jax.num_params(mm_jax.load(model)), "minutes": seconds / 60}
    file.write_text(json.dumps(about))
    return about


def run_tool(args: argparse.Namespace, train: list[str]) -> tuple[Path, float]:
    """Runs `mm-jax train`, or goes on with a run that was stopped; returns its model's path, and its CPU seconds."""
    folder, file = args.out / args.model / "run", args.out / "train.txt"
    if not file.exists():
        file.write_text("\n".join(train) + "\n")
    job = [sys.executable, "-m", "mm_jax", "train", str(file), "--out", str(folder), "--seed", str(SEED)]
    job += ["--resume"] if (folder / "config.json").exists() else ROWS[args.model]
    job += [] if args.steps is None else ["--steps", str(args.steps)]
    spent = args.out / args.model / "seconds.txt"  # of earlier calls
    begin = cpu_seconds() - (float(spent.read_text()) if spent.exists() else 0.0)
    try:
        status = subprocess.run(job).returncode
    finally:
        spent.write_text(str(cpu_seconds() - begin))
    if status:
        raise ValueError(f"{' '.join(job[2:])} ended with status {status}")
    return folder / "model.safetensors", float(spent.read_text())


def multiplied(out: Path) -> tuple[Path, float]:
    """Multiplies the models of other rows, with powers fitted on words that none of them was trained on."""
    import mm_jax
    from mm_jax.tool.runs import RunFolder

    if missing := [name for name in MEMBERS if not (out / name / "row.json").exists()]:
        raise ValueError(f"a product needs its members: run --model {missing[0]} first")
    rows = [json.loads((out / name / "row.json").read_text()) for name in MEMBERS]
    begin = cpu_seconds() - 60 * sum(row["minutes"] for row in rows)
    runs = [RunFolder(out / name / "run").open() for name in MEMBERS]  # of one list, so split in the same way
    params = mm_jax.product.fit([run.params for run in runs], list(runs[0].split.dev[:HELD_OUT]))
    file = out / "product" / "model.safetensors"
    mm_jax.save(params, file)
    return file, cpu_seconds() - begin


def cpu_seconds() -> float:
    """Returns the CPU seconds of this process and of those that it started and that have ended."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in used)


def drawing(args: argparse.Namespace) -> str:
    """Returns how samples are drawn, as the name of their file says it: `1` at temperature 1, `1-0.95` with a top_p."""
    return f"{args.temperature:g}" + ("" if args.top_p is None else f"-{args.top_p:g}")


def drawn(folder: Path, model: Path, args: argparse.Namespace) -> list[str]:
    """Returns samples of the model; those of the folder where they are as many, and of this model."""
    import jax

    import mm_jax

    file = folder / f"samples-{drawing(args)}.txt"
    fresh = file.exists() and file.stat().st_mtime >= model.stat().st_mtime
    words = file.read_text().split() if fresh else []
    if len(words) != args.samples:
        options = {"temperature": args.temperature, "top_p": args.top_p}
        words = mm_jax.sample(mm_jax.load(model), jax.random.key(SEED), args.samples, **options)
        file.write_text("\n".join(words) + "\n")
    return words


def reference(wheel: Path, out: Path, metrics: Any) -> dict[str, Any]:
    """Returns what the test sets are compared by; computed once, which takes some minutes, and kept in `out`."""
    file = out / "reference.npz"
    if not file.exists():
        print("fingerprints, fragments and scaffolds of the test sets, once", flush=True)
        arrays: dict[str, Any] = {}
        for part in ("test", "test_scaffolds"):
            words = molecules(wheel, part)
            arrays[f"{part}.fingerprints"] = np.stack(metrics.each(metrics.fingerprint, words))
            arrays[f"{part}.scaf"] = json.dumps(metrics.counts_of(metrics.each(metrics.scaffold, words)))
            if part == "test":
                arrays["test.frag"] = json.dumps(
                    metrics.counts_of(chain.from_iterable(metrics.each(metrics.fragments, words)))
                )
        with zipfile.ZipFile(wheel) as files:
            stored = np.load(io.BytesIO(files.read("moses/dataset/data/test_stats.npz")), allow_pickle=True)
        gaussian = stored["stats"].item()["FCD"]
        np.savez(file, **arrays, mean=gaussian["mu"], covariance=gaussian["sigma"])
    with np.load(file) as arrays:
        return {name: json.loads(str(arrays[name])) if arrays[name].ndim == 0 else arrays[name] for name in arrays}


def measured(words: list[str], train: list[str], reference: dict[str, Any], metrics: Any) -> dict[str, float]:
    """Returns the metrics of COLUMNS.

    Novelty takes the training strings as they are: of 20,000 all but 3 are canonical for rdkit 2026.9 too.
    """
    valid = [found for found in metrics.each(metrics.canonical, words) if found is not None]
    if len(valid) < 2:
        raise ValueError(f"{len(valid)} of {len(words):,} samples are molecules: train for more steps")
    prints = np.stack(metrics.each(metrics.fingerprint, valid))
    scaffolds = metrics.counts_of(metrics.each(metrics.scaffold, valid))
    parts = metrics.counts_of(chain.from_iterable(metrics.each(metrics.fragments, valid)))
    gaussian = metrics.gaussian(metrics.activations(valid))
    return {
        "samples": len(words),
        "valid": len(valid) / len(words),
        "unique@1k": metrics.unique(valid, 1_000),
        "unique@10k": metrics.unique(valid, 10_000),
        "fcd": metrics.frechet(gaussian, (reference["mean"], reference["covariance"])),
        "snn": metrics.nearest(prints, reference["test.fingerprints"]),
        "snn_scaffolds": metrics.nearest(prints, reference["test_scaffolds.fingerprints"]),
        "frag": metrics.cosine(reference["test.frag"], parts),
        "scaf": metrics.cosine(reference["test.scaf"], scaffolds),
        "scaf_scaffolds": metrics.cosine(reference["test_scaffolds.scaf"], scaffolds),
        "diversity": metrics.internal_diversity(prints),
        "novelty": metrics.novelty(valid, train),
    }


def show(name: str, found: dict[str, Any]) -> None:
    """Prints a row as Markdown, with its head."""
    head = ["model", "numbers", "CPU min", *COLUMNS.values()]
    trained = [f"{found['numbers']:,}", f"{found['minutes']:.1f}"] if "numbers" in found else ["", ""]
    row = [name, *trained, *(f"{found[column]:.4f}" for column in COLUMNS)]
    for cells in (head, ["--"] * len(head), row):
        print(f"| {' | '.join(cells)} |")


def parsed(given: Sequence[str] | None = None) -> argparse.Namespace:
    """Reads the options."""
    found = argparse.ArgumentParser(description="Trains a model on the molecules of MOSES, and measures its samples.")
    found.add_argument(
        "--model",
        choices=[*ROWS, "product", "train"],
        required=True,
        help="default: what mm-jax train does by itself; train: molecules of the training set, to check the metrics",
    )
    found.add_argument("--out", type=Path, default=Path("moses"), help="keeps everything (default: %(default)s)")
    found.add_argument("--wheel", type=Path, help=f"{WHEEL}, where pip shall not fetch it")
    found.add_argument("--steps", type=int, help="of a network; more of them go on with a run (default: as in ROWS)")
    found.add_argument("--samples", type=int, default=30_000, help="default: %(default)s")
    found.add_argument("--temperature", type=float, default=1.0, help="of the samples (default: %(default)s)")
    found.add_argument("--top-p", type=float, help="draw among the likeliest that make up this probability")
    return found.parse_args(given)


if __name__ == "__main__":
    try:
        main(parsed())
    except ValueError as error:
        sys.exit(f"error: {error}")
