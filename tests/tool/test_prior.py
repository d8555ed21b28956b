"""The bundled prior in the command."""

import json

import pytest

from ..test_prior import TOWNS
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
