"""`mm-jax train --resume`: the run's own options and words, more steps, and folders that hold no run yet."""

import json
import shutil
from pathlib import Path

import jax
import pytest

import mm_jax
from mm_jax import words as lists
from mm_jax.learning import plans
from mm_jax.learning.plans import Plan
from mm_jax.tool import run_trainer, runs, train
from mm_jax.words import WordList

from ..conftest import slow
from .conftest import make
from .conftest import train as train_run

NAMES = lists.bundled_names()
MLP = ["--model", "mlp", "--hidden-dim", 4, "--steps", 40, "-q"]


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    return make(tmp_path_factory.mktemp("list"), mm_jax.load_words(NAMES)[::200])


@pytest.fixture(scope="module")
def whole(path, tmp_path_factory):
    """The folder of a run that was not stopped."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    train_run(path, "--out", folder, *MLP)
    return folder


@pytest.fixture(scope="module")
def half(path, tmp_path_factory):
    """The folder of a run that was stopped at step 20 of 40."""
    folder = tmp_path_factory.mktemp("half") / "run"
    taken = run_trainer.Trainer._take

    def stop(self, progress):
        taken(self, progress)
        if int(self.state.step) >= 20:
            self.save()
            raise ValueError("killed")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_trainer.Trainer, "_take", stop)
        train_run(path, "--out", folder, *MLP, status=1)
    return folder


@pytest.fixture
def stopped(half, tmp_path):
    """A copy of it, to go on with."""
    return shutil.copytree(half, tmp_path / "run")


def files(folder):
    return {name: (folder / f"{name}.safetensors").read_bytes() for name in ("model", "state")}


# What the run holds is not typed again


@pytest.mark.parametrize("typed", [[], ["LIST", *MLP], *slow([["LIST"], ["--steps", 40], ["--seed", 0]])])
def test_options_and_words_come_from_the_run(mm, path, whole, stopped, typed):
    typed = [path if word == "LIST" else word for word in typed]
    status, _, err = mm("train", *typed, "--out", stopped, "--resume")
    assert status == 0, err
    assert files(stopped) == files(whole)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        (["--steps", 30], "steps 40 (now 30)"),
        (["--lr", 0.5], "(now 0.5)"),
        (["--seed", 7], "seed 0 (now 7)"),
        (["--dedup"], "dedup False (now True)"),
        (["--model", "ngram", "--order", 3], "model mlp (now ngram)"),
        (["--model", "auto"], "model mlp (now auto)"),
        (["--recipe", "lecture"], "recipe none (now lecture)"),
    ],
)
def test_other_options_are_refused_in_words(mm, stopped, typed, said):
    before = files(stopped)
    status, _, err = mm("train", "--out", stopped, "--resume", *typed)
    assert (status, f"trained with other options: {said}" in err or said in err) == (1, True), err
    assert "None" not in err
    assert files(stopped) == before


def test_another_list_is_refused(mm, tmp_path, stopped):
    other = make(tmp_path, mm_jax.load_words(NAMES)[::201], "other.txt")
    assert "was trained on another list" in mm("train", other, "--out", stopped, "--resume")[2]


def test_no_run_to_resume_needs_a_list(mm, path, tmp_path):
    assert "give the LIST to learn" in mm("train", "--out", tmp_path / "run", "--resume")[2]
    assert not (tmp_path / "run").exists()
    assert mm("train", "--out", tmp_path / "run")[0] == 2
    assert mm("train", path, "--out", tmp_path / "run", "--resume", *MLP)[0] == 0


def test_plans_come_back_from_json():
    words = WordList.of(["anna", "hanna", "nana", "anne", "ann", "nan"] * 2)
    for model in ("mlp", "ngram", "counts", "gru", "transformer", "bow"):
        given = {"num_layers": 1, "num_heads": 2, "width": 8} if model == "transformer" else {}
        plan = plans.plan_for(words, model, None, given, key=jax.random.key(0), seed=3, dedup=True)
        again = Plan.from_json(plan.as_json())
        assert again == plan and json.dumps(again.as_json()) == json.dumps(plan.as_json())  # in the same order too
    assert Plan.from_json(Plan("auto", 1, options={"effort": "quick"}).as_json()).options == {"effort": "quick"}
    for wrong in ({}, {"model": "mix"}, {"model": "mlp", "steps": "x"}, {"model": "ngram", "steps": 3}, {"seed": "x"}):
        with pytest.raises(ValueError):
            Plan.from_json(wrong)


def test_a_run_of_version_0_1_says_that_it_cannot_be_resumed(mm, tmp_path):
    folder = shutil.copytree(Path(__file__).parent / "run_of_format_1", tmp_path / "old")
    before = {entry.name: entry.read_bytes() for entry in folder.iterdir()}
    status, _, err = mm("train", "--out", folder, "--resume")
    assert (status, "cannot be resumed" in err, "None" in err) == (1, True, False)
    assert {name: (folder / name).read_bytes() for name in before} == before


def test_a_run_of_version_0_2_goes_on(mm, path, whole, stopped):
    """Its config.json knows neither its recipe nor what it was made with."""
    config = json.loads((stopped / "config.json").read_text())
    (stopped / "config.json").write_text(
        json.dumps({name: config[name] for name in config if name not in ("made with", "recipe")})
    )
    said = mm("train", "--out", stopped, "--resume", "--recipe", "lecture")[2]  # so its options are compared
    assert "trained with other options: " in said and "draw contexts (now examples)" in said
    assert mm("train", path, "--out", stopped, "--resume", *MLP)[0] == 0
    assert files(stopped) == files(whole)


# More steps


def test_more_steps_go_on_and_say_what_becomes_of_the_rate(mm, whole, tmp_path):
    folder = shutil.copytree(whole, tmp_path / "run")
    status, _, err = mm("train", "--out", folder, "--resume", "--steps", 60)
    assert status == 0, err
    assert "the learning rate follows 60 steps from now on, in place of 40: at step 40 it goes from" in err
    assert runs.RunFolder(folder).history()[-1][0] == 60
    runs.RunFolder(folder).open()
    before = files(folder)
    assert "finished before, after 60 steps" in mm("train", "--out", folder, "--resume")[2]
    assert files(folder) == before
    assert "steps 60 (now 40)" in mm("train", "--out", folder, "--resume", "--steps", 40)[2]


def test_more_steps_killed_at_any_time_end_the_same(mm, whole, tmp_path, monkeypatch):
    one, other = (shutil.copytree(whole, tmp_path / name) for name in ("one", "other"))
    assert mm("train", "--out", one, "--resume", "--steps", 60, "-q")[0] == 0

    def stop(self, progress):
        taken(self, progress)
        if int(self.state.step) >= 50:
            self.save()
            raise ValueError("killed")

    def at_once(self, watch):
        raise ValueError("killed")

    taken = run_trainer.Trainer._take
    for name, killed in (("train", at_once), ("_take", stop)):
        with monkeypatch.context() as patch:
            patch.setattr(run_trainer.Trainer, name, killed)
            assert mm("train", "--out", other, "--resume", "--steps", 60)[0] == 1
        runs.RunFolder(other).open()  # the model is still that of the run
    assert mm("train", "--out", other, "--resume", "-q")[0] == 0
    assert files(one) == files(other)


# No run yet


@pytest.mark.parametrize("first", [["--lr", 1e38], ["--lr", 1e5]])
def test_after_a_run_that_failed_the_next_begins_anew(mm, path, whole, tmp_path, first):
    options = ["--model", "mlp", "--recipe", "lecture", "--steps", 30, "--hidden-dim", 4]
    assert mm("train", path, "--out", tmp_path / "run", *options, *first)[0] == 1
    status, _, err = mm("train", path, "--out", tmp_path / "run", *MLP)
    assert status == 0, err
    assert files(tmp_path / "run") == files(whole)


def test_a_model_without_a_run_is_not_overwritten(mm, path, tmp_path):
    mm_jax.save(mm_jax.counts.fit(["ab"], mm_jax.Vocab(".ab")), tmp_path / "run" / "model.safetensors")
    before = (tmp_path / "run" / "model.safetensors").read_bytes()
    for options in ([], ["--resume"], ["--overwrite"]):
        assert mm("train", path, "--out", tmp_path / "run", "--model", "counts", *options)[0] == 1
        assert (tmp_path / "run" / "model.safetensors").read_bytes() == before


# Candidates


@pytest.fixture
def candidates(monkeypatch):
    """A network as a candidate for the short list, in place of the long ones that the recipes name."""

    def plans_for(words, effort, *, key, prior, **settings):
        small = plans.plan_for(words, "mlp", None, {"steps": 40, "hidden_dim": 4}, key=key, **settings)
        return {"ngram": plans.plan_for(words, "ngram", None, {}, key=key, **settings), "mlp": small}, []

    monkeypatch.setattr(train.candidates, "plans_for", plans_for)


def test_states_of_candidates_stay_until_the_run_has_finished(mm, path, tmp_path, monkeypatch, candidates):
    """And so do not the parts of files that a killed process left there."""
    folder = tmp_path / "run"

    def killed(*args):
        raise ValueError("killed")

    with monkeypatch.context() as patch:
        patch.setattr(train.candidates, "product_of", killed)
        assert mm("train", path, "--out", folder)[0] == 1
    assert (folder / "tried" / "mlp" / "state.safetensors").exists()
    (folder / "tried" / "mlp" / ".state.safetensors.0123abcd.part").write_bytes(b"a")
    (folder / ".tried.json.0123abcd.part").write_bytes(b"a")
    with runs.RunFolder(folder).locked():
        assert not list(folder.rglob("*.part"))
    status, _, err = mm("train", "--out", folder, "--resume")
    assert (status, "finished before, after 40 steps" in err) == (0, True), err
    assert sorted(entry.name for entry in folder.iterdir()) == sorted(
        [".lock", "config.json", "model.safetensors", "tried.json", "words.txt"]
    )


def test_a_finished_run_does_not_train_again(mm, path, tmp_path, monkeypatch, candidates):
    folder = tmp_path / "run"
    first = json.loads(mm("train", path, "--out", folder, "--json")[1])
    before = (folder / "model.safetensors").read_bytes()
    monkeypatch.setattr(run_trainer, "train", None)
    status, out, err = mm("train", "--out", folder, "--resume", "--json")
    assert (status, "finished before: kept" in err) == (0, True), err
    assert json.loads(out) == first
    assert (folder / "model.safetensors").read_bytes() == before
