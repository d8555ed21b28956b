import json
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
import safetensors.numpy

import mm_jax
from mm_jax import Vocab, checkpoint, files

from .conftest import BUNDLED, FIRST_FIVE, LETTERS, equal, slow
from .models.zoo import EVERY, VOCAB, each_of, model

FORMAT_1 = Path(__file__).parent / "format_1.safetensors"


@each_of(EVERY)
def test_round_trip(params, tmp_path):
    path = tmp_path / "deep" / "model.safetensors"
    mm_jax.save(params, path)
    again = mm_jax.load(path, like=params if isinstance(params, mm_jax.Network) else None)
    assert equal(params, again)
    assert [p.name for p in path.parent.iterdir()] == ["model.safetensors"]


def test_a_file_of_format_1_loads_for_ever():
    params = mm_jax.load(FORMAT_1)
    assert isinstance(params, mm_jax.MLP)
    assert params.vocab == Vocab(".aeiklmnovö")
    expected = mm_jax.mlp.init(jax.random.key(0), params.vocab, hidden_dim=4, embedding_dim=2)
    for name, leaf in vars(expected).items():
        assert name == "vocab" or np.allclose(getattr(params, name), leaf, rtol=1e-6)


def test_without_mm_jax_or_jax():
    code = f"""
import sys
from safetensors import safe_open
try:
    import torch
    framework = "pt"
except ImportError:
    framework = "np"
with safe_open({str(FORMAT_1)!r}, framework) as file:
    print({{name: list(file.get_tensor(name).shape) for name in sorted(file.keys())}}, file.metadata()["vocab"])
assert "jax" not in sys.modules and "mm_jax" not in sys.modules
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, encoding="utf-8", check=False)
    assert done.stdout.startswith("{'C': [11, 2], 'W1': [6, 4], 'W2': [4, 11], 'b1': [4], 'b2': [11]}"), done.stderr


def refused(path, content):
    path.write_bytes(content)
    with pytest.raises(ValueError, match="model"):
        mm_jax.load(path)


def test_truncated_at_every_64th_byte(tmp_path):
    content = FORMAT_1.read_bytes()
    for length in range(0, len(content), 64):
        refused(tmp_path / "model.safetensors", content[:length])


@pytest.mark.parametrize("bit", [3, *slow([0, 7])])
def test_flipped_bits(tmp_path, bit):
    content = bytearray(FORMAT_1.read_bytes())
    for at in range(len(content)):
        content[at] ^= 1 << bit
        refused(tmp_path / "model.safetensors", bytes(content))
        content[at] ^= 1 << bit


def test_what_is_refused_and_why(tmp_path):
    path = tmp_path / "model.safetensors"
    with pytest.raises(ValueError, match="does not exist"):
        mm_jax.load(path)
    safetensors.numpy.save_file({"C": np.zeros(3)}, path)
    with pytest.raises(ValueError, match="mm_jax did not write it"):
        mm_jax.load(path)
    checkpoint.write_arrays(path, {"C": np.zeros(3)}, {"kind": "state"})
    with pytest.raises(ValueError, match="holds a state, not a model"):
        mm_jax.load(path)
    arrays, metadata = {"C": np.zeros(3)}, {"kind": "model", "format": "5"}
    checkpoint.write_arrays(path, arrays, metadata)
    with pytest.raises(ValueError, match="format 5: a newer mm_jax wrote it"):
        mm_jax.load(path)


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    mm_jax.save(model("ngram"), path)
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        mm_jax.save(model("counts"), path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["model.safetensors"]


def test_a_tree_of_other_sizes_is_refused():
    arrays = checkpoint.tree_to_arrays({"a": np.zeros(3), "key": jax.random.key(0)})
    again = checkpoint.tree_from_arrays({"a": np.ones(3), "key": jax.random.key(5)}, arrays)
    assert jax.random.key_data(again["key"]).tolist() == jax.random.key_data(jax.random.key(0)).tolist()
    with pytest.raises(ValueError, match="other sizes"):
        checkpoint.tree_from_arrays({"a": np.ones(4), "key": jax.random.key(5)}, arrays)
    with pytest.raises(ValueError, match="another model"):
        checkpoint.tree_from_arrays({"b": np.ones(3), "key": jax.random.key(5)}, arrays)


def test_the_metadata_says_what_it_is(tmp_path):
    mm_jax.save(model("ngram"), tmp_path / "m.safetensors")
    _, metadata = checkpoint.read_arrays(tmp_path / "m.safetensors", "model")
    assert metadata["format"] == "3"
    assert metadata["package"] == f"mm_jax {mm_jax.__version__}"
    spec = json.loads(metadata["model"])
    assert spec["class"] == "mm_jax.models.ngram:NGram"
    assert [level["class"] for level in spec["fields"]["levels"]] == ["mm_jax.models.ngram:Level"] * 4


def test_equal_models_make_equal_bytes(tmp_path):
    """The order of names in the header was another in every process, and in every call."""
    for i in range(8):
        mm_jax.save(mm_jax.ngram.fit(FIRST_FIVE, VOCAB, order=4), tmp_path / f"{i}")
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1


def test_integers_take_fewer_bytes_in_the_file_and_none_in_the_model(tmp_path):
    params, path = mm_jax.ngram.fit(BUNDLED[:300], LETTERS, 4), tmp_path / "model.safetensors"
    mm_jax.save(params, path)
    arrays, metadata = checkpoint.read_arrays(path, "model")
    assert metadata["format"] == "3" and arrays["levels.3.tokens"].dtype == arrays["levels.3.codes"].dtype == np.uint8
    for held, loaded in zip(jax.tree.leaves(params), jax.tree.leaves(mm_jax.load(path)), strict=True):
        assert held.dtype == loaded.dtype
        np.testing.assert_array_equal(held, loaded)


@pytest.mark.parametrize("packed", ['{"nothing": "steps"}', '{"levels.0.codes": "twice"}', "[1]", "{"])
def test_a_file_that_is_packed_wrongly_is_refused(tmp_path, packed):
    path = tmp_path / "model.safetensors"
    mm_jax.save(mm_jax.ngram.fit(BUNDLED[:9], LETTERS, 2), path)
    arrays, metadata = checkpoint.read_arrays(path, "model")
    checkpoint.write_arrays(path, arrays, metadata | {"packed": packed})
    with pytest.raises(ValueError, match="is no model that this version can read"):
        mm_jax.load(path)


def test_a_run_folder_is_read_and_a_file_that_is_whole_is_not_accused(tmp_path, monkeypatch):
    params = mm_jax.counts.fit(["ab"], mm_jax.Vocab(".ab"))
    mm_jax.save(params, tmp_path / "run" / "model.safetensors", mark="mine")
    assert equal(mm_jax.load(tmp_path / "run"), params)
    assert checkpoint.mark_of(tmp_path / "run") == "mine"
    with pytest.raises(ValueError, match="is a folder without a model"):
        mm_jax.load(tmp_path)

    def locked(*args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", locked)
    with pytest.raises(ValueError, match=r"model.safetensors cannot be opened: Permission denied$"):
        mm_jax.load(tmp_path / "run")
