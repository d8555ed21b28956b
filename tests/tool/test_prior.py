"""The bundled prior in the command."""

import json

import pytest

import mm_jax
from mm_jax import prior
from mm_jax.tool import train
from mm_jax.words import Split

from ..test_prior import TOWNS, VOCAB
from .conftest import make


def test_no_prior_and_a_resumed_run_have_to_agree(mm, tmp_path):
    path = make(tmp_path, TOWNS)
    assert mm("train", path, "--out", tmp_path / "run", "--no-prior", "-q")[0] == 0
    assert json.loads((tmp_path / "run" / "config.json").read_bytes())["plan"]["prior"] is False
    config = tmp_path / "run" / "config.json"
    config.write_text(config.read_text(encoding="utf-8").replace('"prior": false', '"prior": true'), encoding="utf-8")
    status, _, err = mm("train", "--out", tmp_path / "run", "--resume", "--no-prior")
    assert (status, "prior True (now False)" in err) == (1, True), err
    assert mm("train", path, "--out", tmp_path / "other", "--model", "ngram", "--no-prior")[0] == 2


@pytest.mark.slow
def test_the_same_seed_gives_the_same_words_and_another_seed_others(mm, tmp_path):
    path = make(tmp_path, TOWNS)
    for name, seed in (("one", 0), ("two", 0), ("three", 1)):
        assert mm("train", path, "--out", tmp_path / name, "--seed", seed, "-q")[0] == 0
    bits = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("one", "two", "three")]
    assert bits[0] == bits[1] != bits[2]


@pytest.mark.slow
def test_a_run_with_the_prior_is_not_resumed_without_its_file(mm, tmp_path, monkeypatch):
    path = make(tmp_path, TOWNS)
    assert mm("train", path, "--out", tmp_path / "run", "--effort", "quick", "-q")[0] == 0
    monkeypatch.setattr(prior, "PATH", tmp_path / "prior.safetensors")
    assert "finished before" in mm("train", "--out", tmp_path / "run", "--resume")[2]  # nothing is left to do
    (tmp_path / "run" / "tried.json").unlink()
    status, _, err = mm("train", "--out", tmp_path / "run", "--resume")
    assert (status, "was begun with the prior: " in err, "install mm_jax again" in err) == (1, True, True), err


def test_the_warning_of_a_weak_model_advises_only_what_can_be_done(capsys):
    params, split = mm_jax.counts.fit(TOWNS[:2], VOCAB, smoothing=1.0), Split(TOWNS, TOWNS, [])
    rows = {"dev": mm_jax.evaluate(params, TOWNS)}
    for chosen in (True, False):
        train.warn_if_worse_than_bigram(params, rows, split, chosen)
        assert ("leave out --model" in capsys.readouterr().err) == (not chosen)
