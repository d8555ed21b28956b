"""The lowest losses: unlike networks times a Kneser-Ney model, from the left and from the right; a student of them.

    XLA_FLAGS=--xla_cpu_multi_thread_eigen=false taskset -c 0 python examples/best.py --out best

Learned from train, chosen on dev; what is fitted (the powers of a product, the share of those that read words from the
right) is fitted on one half of dev and read on the other, both ways. Test is looked at once, at the end. Nats per
character; CPU seconds of training, compilation apart: those of each model where all runs on one core, as above. Without
`taskset` the members train one a core.

In the folder --out every trained model is kept; run again, the job goes on from there. With --page examples/names.html
the student becomes a page.
"""

import argparse
import itertools
import json
import re
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import jax
import numpy as np

import mm_jax
from mm_jax.checks import cores
from mm_jax.evaluation import word_nlls
from mm_jax.training import batches, distil, loop, whole_words
from mm_jax.training.recipes import Recipe, for_size, recipes_of

# Unlike on purpose: of two members that err alike, one is worth little. The Kneser-Ney model is in the product too.
# Each is trained by its model's tuned recipe with these changes, and has these options.
WIDE = {"teach": 0.3, "drop_edges": 0.15}  # a wider network learns more from the words than from Kneser-Ney
MEMBERS: dict[str, tuple[Any, dict[str, Any], dict[str, Any]]] = {
    "GRU": (mm_jax.gru, {}, {}),
    "transformer": (mm_jax.transformer, {}, {}),
    "GRU, not taught by Kneser-Ney": (mm_jax.gru, {"steps": 1200, "teach": 0.0}, {}),
    "transformer, 96 wide": (mm_jax.transformer, {"teach": 0.3}, {"width": 96}),
    "transformer, 128 wide": (mm_jax.transformer, {"steps": 3000, "batch_size": 32} | WIDE, {"width": 128}),
    "transformer, 96 wide and 6 deep": (mm_jax.transformer, WIDE, {"width": 96, "num_layers": 6}),
}
QUICK_MEMBERS = 4  # the first of them are the product for five minutes
DRAWN, LONGER = 250_000, 2.0  # the student's words, and its steps: 12 epochs


class Job:
    """The lists, and what was trained so far, with its CPU seconds."""

    def __init__(self, args: argparse.Namespace, *, mirrored: bool = False):
        words = mm_jax.load_words(args.data)
        self.words = words[:500] if args.quick else words
        self.split = mm_jax.split_words(self.words)
        self.side, self.first_seed = "", 0
        if mirrored:  # the same words in the same parts, from the right
            self.split = mm_jax.words.Split(*map(backwards, self.split))
            self.side, self.first_seed = "from the right: ", 50
        self.vocab = mm_jax.Vocab.from_words(words)
        self.most_steps = 3 if args.quick else None
        self.out: Path | None = args.out
        self.seconds: dict[str, float] = {}

    def kept(self, name: str, make: Callable[[], tuple[Any, float]]) -> Any:
        """The model of this name, from the folder or made; its seconds are noted and its losses on dev printed."""
        file = None
        if self.out is not None:
            file = self.out / f"{re.sub('[:,]', '', self.side + name).replace(' ', '_')}.safetensors"
        if file is not None and file.exists():
            params, seconds = mm_jax.load(file), json.loads(file.with_suffix(".json").read_text())
        else:
            params, seconds = make()
            if file is not None:
                mm_jax.save(params, file)
                file.with_suffix(".json").write_text(json.dumps(seconds))
        self.seconds[name] = seconds
        self.show(name, params, seconds)
        return params

    def show(self, name: str, params: Any, seconds: float) -> None:
        found = mm_jax.evaluate(params, self.split.dev, seen=self.split.train)
        size = f"{mm_jax.num_params(params):,}"
        losses = f"dev {found.nll:.4f}  unseen {found.nll_unseen:.4f}"
        print(f"{self.side + name:46} {size:>9} numbers {seconds:6.0f} CPU s  {losses}", flush=True)

    def member(self, number: int) -> Any:
        name = list(MEMBERS)[number]
        kind, changes, options = MEMBERS[name]
        init_key, fit_key = jax.random.split(jax.random.key(number + self.first_seed))
        characters = sum(map(len, self.words)) + len(self.words)
        recipe = for_size(recipes_of(kind.MODEL)["tuned"].but(**changes), characters, self.vocab)
        recipe = recipe.but(steps=min(recipe.steps, self.most_steps or recipe.steps))
        return self.kept(
            name, lambda: trained(kind.init(init_key, self.vocab, **options), self.split.train, fit_key, recipe)
        )

    def members(self, number: int) -> dict[str, Any]:
        """A Kneser-Ney model and the first networks of MEMBERS, by name; those are trained one a core."""
        ngram = mm_jax.ngram.fit(self.split.train, self.vocab)
        self.show("Kneser-Ney", ngram, 0.0)
        self.seconds["Kneser-Ney"] = 0.0
        with ThreadPoolExecutor(cores()) as pool:
            networks = list(pool.map(self.member, range(number)))
        return {"Kneser-Ney": ngram, **dict(zip(MEMBERS, networks, strict=False))}

    def student(self, name: str, teacher: Any, drawer: Any, key: Any) -> Any:
        """A GRU that learns a product's distribution at the prefixes of words that a part of the product draws."""
        init_key, draw_key, fit_key = jax.random.split(key, 3)

        def make():
            begin = time.process_time()
            num_words = DRAWN if self.most_steps is None else 200
            new = distil.new_words(drawer, self.split.train, draw_key, num_words)
            params = mm_jax.gru.init(init_key, self.vocab)
            packed, recipe = distil.student_batches(params, teacher, self.split.train, new)
            recipe = recipe.but(steps=self.most_steps or round(LONGER * recipe.steps))
            seconds = time.process_time() - begin
            print(f"{len(new):,} words drawn and read by the teacher: {seconds:.0f} CPU s", flush=True)
            return trained(params, packed, fit_key, recipe)

        return self.kept(name, make)

    def multiplied(self, name: str, models: dict[str, Any], *, correct: bool = False) -> Any:
        """The product with powers fitted on dev; the losses printed are on halves that the powers did not see."""
        names, members = list(models), list(models.values())
        pairs = [(mm_jax.product.fit(members, fitted), read) for fitted, read in halves(self.split.dev)]
        seconds = sum(self.seconds[each] for each in names)
        print(f"{name}: {seconds:.0f} CPU s  {self.read(pairs)}", flush=True)
        if correct:
            print(f"the same, corrected: {self.read([(self.corrected(params), read) for params, read in pairs])}")
        product = mm_jax.product.fit(members, self.split.dev)
        powers = (f"{each} ^ {power:.2f}" for each, power in zip(names, product.powers.tolist(), strict=True))
        print("    " + " x ".join(powers), flush=True)
        return product

    def read(self, pairs: Sequence[tuple[Any, Sequence[str]]]) -> str:
        """The losses of models, each on words of its own, over all these words."""
        found = [mm_jax.evaluate(params, words, seen=self.split.train) for params, words in pairs]
        nll = np.average([each.nll for each in found], weights=[each.tokens for each in found])
        unseen = np.average([each.nll_unseen for each in found], weights=[each.words_unseen for each in found])
        return f"dev {nll:.4f}  unseen {unseen:.4f}"

    def corrected(self, params: Any) -> Any:
        return mm_jax.fresh.wrap(params, self.split.train)


def trained(params: Any, words: Any, key: Any, recipe: Recipe) -> tuple[Any, float]:
    """The trained parameters, and the CPU seconds that its steps and the making of its targets took."""
    begin = time.process_time()
    packed: Any = words
    if recipe.draw == "words" and not isinstance(words, whole_words.WordBatches):
        made = batches.make_batches(words, params, recipe)
        packed = made if isinstance(made, whole_words.WordBatches) else words  # a long list's stream is made anew
    seconds = time.process_time() - begin
    run = loop.run(loop.first_state(params, key, recipe), packed, recipe)
    state = next(run).state  # compiled, and no step made
    begin = time.process_time()
    for progress in run:
        state = jax.block_until_ready(progress.state)
    return state.params, seconds + time.process_time() - begin


def backwards(words: Sequence[str]) -> list[str]:
    return [word[::-1] for word in words]


def halves(words: Sequence[str]) -> list[tuple[Sequence[str], Sequence[str]]]:
    """Two pairs of the same halves: what a number is fitted on, and what is then read."""
    return [(words[::2], words[1::2]), (words[1::2], words[::2])]


class EitherWay:
    """Words of two products, one of which writes them from the right.

        P(word) = share * P_left(word) + (1 - share) * P_right(word from the right)

    A distribution of whole words: powers and share are fitted on some; it has no next character, and draws nothing.
    """

    def __init__(self, left: dict[str, Any], right: dict[str, Any], words: Sequence[str]):
        self.left = mm_jax.product.fit(list(left.values()), words)
        self.right = mm_jax.product.fit(list(right.values()), backwards(words))
        first, second = self.log_ps(words)
        self.share = 0.5
        for _ in range(100):  # expectation maximisation
            self.share = float(np.mean(1 / (1 + (1 / self.share - 1) * np.exp(second - first))))

    def log_ps(self, words: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        return -word_nlls(self.left, words)[0], -word_nlls(self.right, backwards(words))[0]

    def log_p(self, words: Sequence[str]) -> np.ndarray:
        """The log probability of each word, float64 [words]."""
        first, second = self.log_ps(words)
        return np.logaddexp(np.log(self.share) + first, np.log1p(-self.share) + second)

    def corrected(self, train: Sequence[str]) -> Callable[[Sequence[str]], np.ndarray]:
        """The same, corrected as by `mm_jax.fresh`: the words of train have the share that Good and Turing expect."""
        share, known = mm_jax.fresh.repeated(train), set(train)
        learned = self.log_p(sorted(known))
        total, powered = np.exp(learned).sum(), np.exp(0.5 * learned).sum()

        def log_p(words: Sequence[str]) -> np.ndarray:
            found = self.log_p(words)
            others = np.log1p(-share) + found - np.log1p(-total)
            return np.where([word in known for word in words], np.log(share) + 0.5 * found - np.log(powered), others)

        return log_p


def losses(pairs: Sequence[tuple[Callable[[Sequence[str]], np.ndarray], Sequence[str]]], seen: Sequence[str]) -> str:
    """The losses of distributions of whole words, each on words of its own, over all these words."""
    words = [word for _, part in pairs for word in part]
    found = np.concatenate([log_p(part) for log_p, part in pairs])
    lengths, known = np.array([len(word) + 1 for word in words]), set(seen)
    new = np.array([word not in known for word in words])
    return f"dev {-found.sum() / lengths.sum():.4f}  unseen {-found[new].sum() / lengths[new].sum():.4f}"


def main(args: argparse.Namespace) -> None:
    job, mirrored = Job(args), Job(args, mirrored=True)
    print(f"{len(job.words):,} words", flush=True)
    models = job.members(2 if args.quick else len(MEMBERS))
    job.multiplied("product of five", dict(itertools.islice(models.items(), QUICK_MEMBERS + 1)))
    teacher = job.multiplied("product of all", models)
    others = [each for each in models.values() if not isinstance(each, mm_jax.Transformer)]  # draw sooner
    drawer = mm_jax.product.fit(others, job.split.dev)
    student = job.student("student", teacher, drawer, jax.random.key(100))
    models["student"] = student
    best = job.multiplied("product with the student", models, correct=True)
    train, dev, test = job.split
    from_the_right = mirrored.members(2 if args.quick else len(MEMBERS))
    mirrored.multiplied("product from the right", from_the_right)
    seconds = sum(job.seconds.values()) + sum(mirrored.seconds.values())
    fitted = [(EitherWay(models, from_the_right, words), read) for words, read in halves(dev)]
    print(f"mixed by whole words: {seconds:.0f} CPU s  {losses([(each.log_p, read) for each, read in fitted], train)}")
    print(f"the same, corrected: {losses([(each.corrected(train), read) for each, read in fitted], train)}", flush=True)
    for name, params in {"student": student, "the best product": best, "that, corrected": job.corrected(best)}.items():
        found = mm_jax.evaluate(params, test, seen=train)
        print(f"test  {name}: {found.nll:.4f} +- {found.stderr:.4f}  unseen {found.nll_unseen:.4f}", flush=True)
    both = EitherWay(models, from_the_right, dev)
    for name, log_p in {"mixed by whole words": both.log_p, "that, corrected": both.corrected(train)}.items():
        print(f"test  {name}: {losses([(log_p, test)], train).removeprefix('dev ')}", flush=True)
    if args.page is not None:
        write_page(args.page, student, job)


def write_page(path: Path, student: Any, job: Job) -> None:
    """One HTML file with the student in half precision; it holds its weights and 101 quantiles, not the list."""
    card = {"Learned from": f"{len(job.split.train):,} names, and a product of seven models that read them"}
    for name, part in (("dev", job.split.dev), ("test", job.split.test)):
        found = mm_jax.evaluate(student, part, seen=job.split.train)
        card[f"Loss on {name}"] = f"{found.nll:.4f} +- {found.stderr:.4f} nats per character"
    card["Made by"] = "examples/best.py of mm_jax"
    mm_jax.page.write(student, path, words=job.split.train, title="Names", half=True, card=card, overwrite=True)
    print(f"{path}: {path.stat().st_size / 1024:,.0f} KiB")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="The lowest losses: networks multiplied, a student, the correction.")
    parser.add_argument("--data", type=Path, metavar="LIST", help="a text file, one word a line (default: names)")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help="keep the trained models; go on from them")
    parser.add_argument("--page", type=Path, metavar="HTML", help="write a page with the student")
    parser.add_argument("--quick", action="store_true", help="500 words, two members and 3 steps, to see it run")
    try:
        main(parser.parse_args())
    except ValueError as error:
        sys.exit(f"error: {error}")
