"""`mm-jax train` without a model: what is tried, what is kept, and that it can be killed at any time."""

import functools
import inspect
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
import types

import jax
import pytest

import mm_jax
from mm_jax import conditions, models
from mm_jax import words as lists
from mm_jax.learning import candidates, costs, plans
from mm_jax.ngrams import orders
from mm_jax.tool import runs
from mm_jax.training.muon import muon
from mm_jax.vocab import Vocab
from mm_jax.words import WordList

from ..conftest import slow
from .conftest import make

NAMES = lists.bundled_names()
KEY = jax.random.key(0)


def test_losses_of_all_orders_are_those_of_the_models():
    split = mm_jax.split_words(mm_jax.load_words(NAMES))
    vocab = Vocab.from_words([*split.train, *split.dev, *split.test])
    for smoothing in ("modified-kneser-ney", "witten-bell"):
        found = orders.nlls(split.train, split.dev, vocab, 4, smoothing=smoothing).mean(axis=1)
        for order in (1, 2, 4):
            params = mm_jax.ngram.fit(split.train, vocab, order, smoothing=smoothing)
            assert found[order - 1] == pytest.approx(mm_jax.evaluate(params, split.dev).nll, abs=1e-5)


def test_the_order_is_chosen_with_the_fake_counts_that_are_given():
    words, held_out, vocab = ["ab", "ab", "ba", "aab"], ["abb", "ab"], Vocab(".ab")
    _, losses = orders.choose([(words, held_out)], vocab, smoothing="add-k", k=0.1)
    params = mm_jax.ngram.fit(words, vocab, 2, smoothing="add-k", k=0.1)
    assert losses["order 2"] == pytest.approx(mm_jax.evaluate(params, held_out).nll, abs=1e-6)


def test_orders_are_looked_at_until_dev_stops_improving():
    words = ["abcdefghijkl" * 2, "lkjihgfedcba" * 2]
    options, losses = orders.choose([(words * 3, words)], Vocab.from_words(words))
    assert len(losses) % 3 == 0 and options["order"] < len(losses)
    assert orders.choose([(["ab"], ["ab"])], Vocab(".ab"))[1].keys() == {"order 1", "order 2", "order 3"}
    assert orders.choose([(["ab"], ["ab"])], Vocab(".ab"), order=2) == ({"order": 2}, {})


def test_short_lists_are_judged_by_cross_validation():
    words = [f"{a}{b}" for a in "abcdefg" for b in "hijklmn"]
    split = WordList.of(words).split
    folds = plans.folds_of(split)
    assert len(folds) == 10
    for train, held_out in folds:
        assert sorted(train + held_out) == sorted([*split.train, *split.dev])
    assert sorted(word for _, part in folds for word in part) == sorted([*split.train, *split.dev])
    long = WordList.of([*words, *(word * 2 for word in words)] * 6).split
    assert plans.folds_of(long) == [(long.train, long.dev)]


def test_a_short_list_takes_no_network_and_says_so(mm, tmp_path):
    path = make(tmp_path, mm_jax.load_words(NAMES)[::200])
    status, out, err = mm("train", path, "--out", tmp_path / "run", "--no-prior")
    assert status == 0
    assert "10-fold cross-validation loss of train and dev: order 1" in err
    assert "not tried: gru, which needs at least 500 words" in err
    assert type(runs.RunFolder(tmp_path / "run").open().params).__name__ == "NGram"
    new = out.split("for 44 words:\n")[1].splitlines()
    assert len(new) == len(set(new)) == 10
    assert not set(new) & set(mm_jax.load_words(path))


@pytest.mark.slow
def test_the_default_is_no_worse_than_what_it_tried(mm, tmp_path):
    path = make(tmp_path, mm_jax.load_words(NAMES)[::8])
    status, out, err = mm("train", path, "--out", tmp_path / "run", "--effort", "quick", "--json")
    assert status == 0, err
    found = json.loads(out)
    tried = {row["model"]: row["dev"] for row in found["tried"]}
    assert found["kept"] in tried and len(tried) == 3
    assert tried[found["kept"]] == pytest.approx(found["losses"]["dev"]["nll"], abs=1e-6)
    assert tried[found["kept"]] <= min(tried.values()) + 0.002
    opened = runs.RunFolder(tmp_path / "run").open()
    assert mm_jax.evaluate(opened.params, opened.split.dev).nll == pytest.approx(found["losses"]["dev"]["nll"])
    assert "kept" in err and found["kept"] in err
    again = mm("train", path, "--out", tmp_path / "run", "--effort", "quick", "--resume", "--json")
    assert json.loads(again[1])["losses"] == found["losses"]
    forced = mm("train", path, "--out", tmp_path / "ngram", "--model", "ngram", "--json")
    assert found["losses"]["dev"]["nll"] <= json.loads(forced[1])["losses"]["dev"]["nll"] + 1e-6


def candidate(name, dev, is_product=False):
    return candidates.Tried(name, None, dev, 0.01, 1.0, is_product)


def test_a_product_must_be_worth_it():
    one, two = candidate("one", 2.0), candidate("two", 2.1)
    assert candidates.best_of([one, two, candidate("product", 1.9985, True)])[0] is one
    assert candidates.best_of([one, two, better := candidate("product", 1.9975, True)])[0] is better


def test_what_is_tried_comes_from_the_models_recipes():
    words = WordList.of(mm_jax.load_words(NAMES))
    known = models.makeable()
    efforts = {name: {effort for recipe in known[name].recipes.values() for effort in recipe.efforts} for name in known}
    for effort in ("quick", "normal", "best"):
        found, _ = candidates.plans_for(words, effort, key=KEY)
        assert {plan.model for plan in found.values()} == {name for name in known if effort in efforts[name]}
    assert set().union(*efforts.values()) == {"quick", "normal", "best"}
    many = [chr(0x4E00 + i % 5000) + chr(0x4E00 + i % 4999) for i in range(10_000)]
    found, left_out = candidates.plans_for(WordList.of(many), "quick", key=KEY)
    assert set(found) == {"ngram"}
    assert "not tried: mlp, which takes about" in left_out[1] and "and quick gives it" in left_out[1]


def test_a_large_alphabet_takes_small_batches_and_few_words_of_dev():
    words = [chr(0x4E00 + i % 6000) + chr(0x4E00 + i * 7 % 5999) for i in range(20_000)]
    found = WordList.of(words)
    split, vocab = found
    recipe = plans.plan_for(found, "mlp", None, {}, key=KEY).recipe
    assert recipe.draw == "examples" and recipe.batch_size * len(vocab) < 2**18 < (recipe.batch_size + 2) * len(vocab)
    assert 500 <= len(plans.dev_for_stopping(split, vocab)) < len(plans.dev_for_choices(split)) == 2000
    assert plans.dev_for_stopping(split, Vocab.from_words(["abc"])) == plans.dev_for_choices(split)
    assert plans.plan_for(WordList.of(mm_jax.load_words(NAMES)), "mlp", None, {}, key=KEY).recipe.batch_size == 320


@pytest.mark.slow
def test_a_model_that_learned_nothing_is_called_so(mm, tmp_path):
    path = make(tmp_path, mm_jax.load_words(NAMES)[::8])
    options = ["--model", "mlp", "--steps", 2, "--hidden-dim", 4, "--quiet"]
    err = mm("train", path, "--out", tmp_path / "run", *options)[2]
    assert err.startswith("warning: worse than bigram counts on dev (")
    assert mm("train", path, "--out", tmp_path / "ngram", "--model", "ngram", "--quiet")[2] == ""


def test_options_of_models_need_a_model(mm, tmp_path):
    for option in (["--steps", 5], ["--order", 3], ["--recipe", "tuned"]):
        status, out, err = mm("train", NAMES, "--out", tmp_path / "run", *option)
        assert (status, out) == (2, "")
        assert "give it with --model NAME" in err and str(option[0]) in err


def test_overwrite_replaces_a_run_and_nothing_else(mm, tmp_path):
    path = make(tmp_path, mm_jax.load_words(NAMES)[::200])
    assert mm("train", path, "--out", tmp_path / "run", "-q", "--no-prior")[0] == 0
    assert mm("train", path, "--out", tmp_path / "run", "-q")[0] == 1
    assert mm("train", path, "--out", tmp_path / "run", "-q", "--overwrite", "--model", "counts")[0] == 0
    assert type(runs.RunFolder(tmp_path / "run").open().params).__name__ == "Counts"
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    status, _, err = mm("train", path, "--out", tmp_path / "mine", "--overwrite")
    assert status == 1 and "holds no run, but other files" in err
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear"


def test_a_list_from_standard_input(mm, tmp_path):
    """In a process of its own: `test_a_pipe_is_read_once`."""
    words = "\n".join(mm_jax.load_words(NAMES)[::200])
    read, write = os.pipe()
    os.write(write, words.encode())
    os.close(write)
    own = os.dup(0)
    os.dup2(read, 0)
    try:
        status, out, _ = mm("train", "-", "--out", tmp_path / "run", "--quiet", "--json", "--no-prior")
    finally:
        os.dup2(own, 0)
        os.close(own)
        os.close(read)
    assert (status, len(json.loads(out)["samples"])) == (0, 10)
    assert sorted(runs.RunFolder(tmp_path / "run").open().words) == sorted(words.split())


def test_version(mm):
    status, out, _ = mm("--version")
    assert status == 0 and out.startswith("mm_jax ")


@pytest.mark.slow
@pytest.mark.weekly
def test_killed_while_it_tries(tmp_path):
    """kill -9 at three instants: the run goes on, and ends with the bytes of one that was left alone."""
    path = make(tmp_path, mm_jax.load_words(NAMES)[::4])
    env = {**os.environ, "JAX_COMPILATION_CACHE_DIR": str(tmp_path / "cache")}
    often = "from mm_jax.learning import trainer; from mm_jax.tool import entry; trainer.SAVE_SECONDS = 0; entry.main()"

    def start(folder):
        options = ["train", path, "--out", folder, "--resume", "--effort", "quick"]
        command = [sys.executable, "-c", often, *map(str, options)]
        return subprocess.Popen(command, env=env, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)

    begin = time.monotonic()
    assert start(tmp_path / "whole").wait(timeout=300) == 0
    begin, seconds = time.monotonic(), time.monotonic() - begin
    rng = random.Random(0)
    for _ in range(3):
        process = start(tmp_path / "killed")
        time.sleep(rng.uniform(0.1, 0.8) * seconds)
        process.send_signal(signal.SIGKILL)
        process.wait()
        if (tmp_path / "killed" / "model.safetensors").exists():
            runs.RunFolder(tmp_path / "killed").open()
    assert start(tmp_path / "killed").wait(timeout=300) == 0
    whole, killed = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("whole", "killed"))
    assert whole == killed


def test_defaults_of_lengths_and_temperature_are_those_of_sample(mm, tmp_path):
    path = make(tmp_path, mm_jax.load_words(NAMES)[::200])
    _, out, _ = mm("train", path, "--out", tmp_path / "run", "-q", "--no-prior")
    temperature = conditions.temperature_for(44)
    assert f"new words at temperature {temperature}, for 44 words:" in out
    shown = mm("sample", tmp_path / "run", "-n", 10, "--new", "--distinct", "--seed", 1, "-q")[1]
    assert out.endswith(shown)


def test_another_optimizer_leaves_the_weight_decay_of_the_recipe():
    words = WordList.of(["ab", "b"])
    kept = plans.plan_for(words, "gru", None, {}, key=KEY).recipe
    assert kept.weight_decay > 0
    assert plans.plan_for(words, "gru", None, {"optimizer": "muon"}, key=KEY).recipe == kept.but(optimizer=muon)
    assert plans.plan_for(words, "gru", None, {"optimizer": "sgd"}, key=KEY).recipe.weight_decay == 0
    with pytest.raises(ValueError, match="sgd has no weight decay: choose adamw or muon"):
        plans.plan_for(words, "gru", None, {"optimizer": "sgd", "weight_decay": 0.1}, key=KEY)


@functools.cache
def made(count, size):
    """Distinct words of one size, of 20 letters."""
    return WordList.of(
        ["".join(chr(97 + (i * (7 + 2 * at) + i // (at + 1)) % 20) for at in range(size)) for i in range(count)]
    )


@pytest.mark.parametrize("effort", costs.SECONDS)
@pytest.mark.parametrize(("count", "size"), [(1000, 8), (30_000, 8), (5000, 60), *slow([(300_000, 8)])])
def test_an_effort_costs_what_it_promises(effort, count, size, monkeypatch):
    """The order of the n-gram, which costs the same for every order, is chosen on few words."""
    monkeypatch.setattr(plans, "FITTED_WORDS", 1000)
    words = made(count, size)
    found, left_out = candidates.plans_for(words, effort, key=KEY)
    total = sum(costs.seconds(plan, words) for plan in found.values())
    assert total <= costs.promised(effort, words) * 1.001
    assert "ngram" in found
    assert all(
        re.search(r"takes about [\d,.]+ s, and|needs at least [\d,]+ words|helps lists of up to", line)
        for line in left_out
    )
    assert effort == "quick" or any(plan.recipe for plan in found.values())  # a long list sees a network too


def test_a_step_costs_positions_times_numbers():
    short, long = (made(1000, size) for size in (8, 80))
    plan = plans.plan_for(short, "gru", None, {}, key=KEY)
    assert costs.positions(plan, short) == plan.recipe.batch_size * 9
    ratio = costs.step_seconds(plan, long) / costs.step_seconds(plan, short)
    assert ratio == pytest.approx(81 / 9, rel=0.01)
    slow = costs.fitted(plan, short, costs.start_seconds(plan, short) + 150 * costs.step_seconds(plan, short) + 1e-6)
    assert slow.recipe.steps == 150 and plan.recipe.steps > 150
    assert costs.fitted(plan, short, 0.0) is None


def test_a_long_list_gets_more_seconds_and_a_recipe_of_its_own():
    lists = {size: types.SimpleNamespace(tokens=size, is_long=False) for size in (10**6, 16 * 10**6, 10**9)}
    promised = inspect.unwrap(costs.promised)  # without the check of types
    assert [promised("normal", one) for one in lists.values()] == [40, 80, 240]
    long = types.SimpleNamespace(tokens=10**9, is_long=True)
    assert promised("normal", long) > 240 + 1000  # counting comes on top
    recipes = mm_jax.gru.MODEL.recipes
    for words, name in ((100, "normal"), (999_999, "normal"), (1_000_000, "long")):
        assert plans.recipe_at(mm_jax.gru.MODEL, "normal", words) is recipes[name]
    assert plans.recipe_at(mm_jax.bow.MODEL, "normal", 1000) is None


def test_the_best_effort_is_more_than_the_normal_one():
    words = WordList.of(mm_jax.load_words(NAMES)[::8])
    normal, best = (candidates.plans_for(words, effort, key=KEY)[0] for effort in ("normal", "best"))
    seeds = [plan.seed for plan in best.values() if plan.model == "gru"]
    assert len(seeds) == len(set(seeds)) > 1
    assert len(best) > len(normal)
    few = WordList.of(mm_jax.load_words(NAMES)[::200])
    assert any("best is the same as normal here" in line for line in candidates.plans_for(few, "best", key=KEY)[1])
