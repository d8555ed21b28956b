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

from .conftest import FIRST_FIVE, equal
from .models.zoo import VOCAB, each_of, every_model

EVERY = every_model()
NGRAM = mm_jax.ngram.fit(FIRST_FIVE, VOCAB, order=4)
FORMAT_1 = Path(__file__).parent / "format_1.safetensors"


@each_of(EVERY)
def test_round_trip(params, tmp_path):
    path = tmp_path / "deep" / "model.safetensors"
    mm_jax.save(params, path)
    again = mm_jax.load(path, like=params if isinstance(params, mm_jax.Network) else None)
    assert equal(params, again)
    assert mm_jax.sample(params, jax.random.key(0), 5) == mm_jax.sample(again, jax.random.key(0), 5)
    assert [p.name for p in path.parent.iterdir()] == ["model.safetensors"]


def test_a_file_of_format_1_loads_for_ever():
    params = mm_jax.load(FORMAT_1)
    assert isinstance(params, mm_jax.MLP)
    assert params.vocab == Vocab(".aeiklmnovö")
    expected = mm_jax.mlp.init(jax.random.key(0), params.vocab, hidden_dim=4, embedding_dim=2)
    assert equal(params, expected)


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


@pytest.mark.parametrize("bit", [0, 3, 7])
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
    arrays, metadata = {"C": np.zeros(3)}, {"kind": "model", "format": "3"}
    checkpoint.write_arrays(path, arrays, metadata)
    with pytest.raises(ValueError, match="format 3: a newer mm_jax wrote it"):
        mm_jax.load(path)


def test_a_full_disk_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    mm_jax.save(NGRAM, path)
    before = path.read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        mm_jax.save(EVERY[0], path)
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
    mm_jax.save(NGRAM, tmp_path / "m.safetensors")
    _, metadata = checkpoint.read_arrays(tmp_path / "m.safetensors", "model")
    assert metadata["format"] == "2"
    assert metadata["package"] == f"mm_jax {mm_jax.__version__}"
    spec = json.loads(metadata["model"])
    assert spec["class"] == "mm_jax.models.ngram:NGram"
    assert [level["class"] for level in spec["fields"]["levels"]] == ["mm_jax.models.ngram:Level"] * 4


def test_equal_models_make_equal_bytes(tmp_path):
    """The order of names in the header was another in every process, and in every call."""
    for i in range(8):
        mm_jax.save(mm_jax.ngram.fit(FIRST_FIVE, VOCAB, order=4), tmp_path / f"{i}")
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1


def rewrite(path, arrays=None, metadata=None, spec=None):
    """The file again with other contents, and a checksum that is right for them. None as a value takes a name out."""
    old_arrays, old_metadata = checkpoint.read_arrays(path, "model")
    new = {name: value for name, value in (old_arrays | (arrays or {})).items() if value is not None}
    described = {name: value for name, value in (old_metadata | (metadata or {})).items() if value is not None}
    if spec is not None:
        described["model"] = spec if isinstance(spec, str) else json.dumps(spec)
    described["sha256"] = checkpoint._checksum(new, described)
    path.write_bytes(safetensors.numpy.save(new, described))


MLP = mm_jax.mlp.init(jax.random.key(0), VOCAB, hidden_dim=8)
COUNTS = mm_jax.counts.fit(FIRST_FIVE, VOCAB, smoothing=1.0)
MIXTURE = mm_jax.mixture.fit([NGRAM, COUNTS], FIRST_FIVE[:3], steps=5)
BIGRAM = mm_jax.bigram.init(jax.random.key(0), VOCAB)
N = len(VOCAB)


def level(name, i=2):
    return np.array(getattr(NGRAM.levels[i], name))


def changed(values, at, value):
    values = values.copy()
    values[at] = value
    return values


def nested(depth):
    """A mixture in a mixture in a mixture ..."""
    spec = '{"class": "mm_jax.models.mixture:Mixture", "static": {}, "fields": {"scores": null, "members": ['
    return spec * depth + "null" + "]}}" * depth


CORRUPTED = {
    "rows": (MLP, {"arrays": {"C": np.zeros((5, 10), np.float32)}}, "C"),
    "columns of W2": (MLP, {"arrays": {"W2": np.zeros((8, N + 1), np.float32)}}, "W2|b2"),
    "hidden width": (MLP, {"arrays": {"b1": np.zeros(7, np.float32)}}, "b1"),
    "fan-in": (MLP, {"arrays": {"W1": np.zeros((29, 8), np.float32)}}, "W1 has 29 rows"),
    "scalar": (MLP, {"arrays": {"b2": np.array(0, np.float32)}}, "b2"),
    "int": (MLP, {"arrays": {"C": np.zeros((N, 10), np.int32)}}, "C of MLP is int32"),
    "bool": (MLP, {"arrays": {"b1": np.zeros(8, bool)}}, "b1 of MLP is bool"),
    "float16": (MLP, {"arrays": {"W1": np.zeros((30, 8), np.float16)}}, "W1 of MLP is float16"),
    "float64": (MLP, {"arrays": {"W1": np.zeros((30, 8), np.float64)}}, "W1 is float64"),
    "nan": (MLP, {"arrays": {"b1": np.full(8, np.nan, np.float32)}}, "b1 of MLP holds nan"),
    "missing": (MLP, {"arrays": {"b1": None}}, "lacks the array b1"),
    "additional": (MLP, {"arrays": {"b3": np.zeros(1, np.float32)}}, "has an array b3"),
    "no vocab": (MLP, {"metadata": {"vocab": None}}, "lacks vocab"),
    "odd vocab": (MLP, {"metadata": {"vocab": "aa"}}, "vocabulary"),
    "short vocab": (MLP, {"metadata": {"vocab": VOCAB.chars[:-1]}}, "C of MLP|W2|b2"),
    "no structure": (MLP, {"metadata": {"model": None}}, "lacks model"),
    "structure is no JSON": (MLP, {"spec": "{"}, "no model"),
    "structure is a number": (MLP, {"spec": "7"}, "no model"),
    "structure is null": (MLP, {"spec": "null"}, "no model"),
    "structure is a list": (MLP, {"spec": "[]"}, "no model"),
    "class": (MLP, {"spec": {"class": "mm_jax.models.mlp:Perceptron", "fields": {}, "static": {}}}, "not known here"),
    "class is a number": (MLP, {"spec": {"class": 7, "fields": {}}}, "not known here"),
    "class of another package": (MLP, {"spec": {"class": "subprocess:Popen", "fields": {}}}, "not known here"),
    "class that is no model": (MLP, {"spec": {"class": "mm_jax.models.contract:Dropout", "fields": {}}}, "fields"),
    "fields": (MLP, {"spec": {"class": "mm_jax.models.mlp:MLP", "fields": {"C": None}, "static": {}}}, "other fields"),
    "fields are a list": (MLP, {"spec": {"class": "mm_jax.models.mlp:MLP", "fields": []}}, "no model"),
    "static is a list": (MLP, {"spec": {"class": "mm_jax.models.mlp:MLP", "fields": {}, "static": []}}, "no model"),
    "an array in place of a model": (
        MLP,
        {"spec": "null", "arrays": dict.fromkeys(("C", "W1", "b1", "W2", "b2"))},
        "no model",
    ),
    "format x": (MLP, {"metadata": {"format": "x"}}, "format 'x'"),
    "format 0": (MLP, {"metadata": {"format": "0"}}, "format '0'"),
    "format -1": (MLP, {"metadata": {"format": "-1"}}, "format '-1'"),
    "no format": (MLP, {"metadata": {"format": None}}, "format"),
    "format of other digits": (MLP, {"metadata": {"format": "\u00b2"}}, "format"),
    "format of many digits": (MLP, {"metadata": {"format": "9" * 5000}}, "format"),
    "counts below 0": (COUNTS, {"arrays": {"N": np.full((N, N), -1, np.int32)}}, "below 0"),
    "smoothing below 0": (COUNTS, {"arrays": {"smoothing": np.array(-1, np.float32)}}, "below 0"),
    "smoothing inf": (COUNTS, {"arrays": {"smoothing": np.array(np.inf, np.float32)}}, "below 0|finite"),
    "table": (COUNTS, {"arrays": {"N": np.zeros((N, N - 1), np.int32)}}, "N of Counts"),
    "codes out of order": (
        NGRAM,
        {"arrays": {"levels.2.codes": level("codes")[::-1].copy()}},
        "order 3 is out of order",
    ),
    "codes too large": (NGRAM, {"arrays": {"levels.2.codes": changed(level("codes"), -1, 2**30)}}, "out of order"),
    "codes below 0": (NGRAM, {"arrays": {"levels.2.codes": changed(level("codes"), 0, -5)}}, "out of order"),
    "first out of order": (NGRAM, {"arrays": {"levels.2.first": level("first")[::-1].copy()}}, "out of order"),
    "first too large": (NGRAM, {"arrays": {"levels.2.first": changed(level("first"), -1, 10**6)}}, "out of order"),
    "tokens": (NGRAM, {"arrays": {"levels.2.tokens": changed(level("tokens"), 0, N)}}, "beyond the vocabulary"),
    "tokens below 0": (
        NGRAM,
        {"arrays": {"levels.2.tokens": changed(level("tokens"), 0, -1)}},
        "beyond the vocabulary",
    ),
    "values": (NGRAM, {"arrays": {"levels.2.values": changed(level("values"), 0, 7.0)}}, "outside"),
    "backoff": (NGRAM, {"arrays": {"levels.2.backoff": changed(level("backoff"), 0, -1.0)}}, "outside"),
    "values nan": (NGRAM, {"arrays": {"levels.2.values": changed(level("values"), 0, np.nan)}}, "nan"),
    "sizes differ": (NGRAM, {"arrays": {"levels.2.backoff": np.zeros(1, np.float32)}}, "backoff"),
    "no levels": (NGRAM, {"spec": {"class": "mm_jax.models.ngram:NGram", "fields": {"levels": []}}}, "no model"),
    "weights": (MIXTURE, {"arrays": {"scores": np.zeros(3, np.float32)}}, "2 members and 3 weights"),
    "weights inf": (MIXTURE, {"arrays": {"scores": np.full(2, np.inf, np.float32)}}, "not finite"),
    "members": (MIXTURE, {"arrays": {"members.1.N": np.zeros((3, 3), np.int32)}}, "N of members.1"),
    "nested 25 deep": (MIXTURE, {"spec": nested(25)}, "nested more than|lacks"),
    "nested 1,000 deep": (MIXTURE, {"spec": nested(1000)}, "nested|no model"),
    "nested 100,000 deep": (MIXTURE, {"spec": nested(100_000)}, "nested|no model"),
    "lists 100,000 deep": (MIXTURE, {"spec": "[" * 100_000 + "]" * 100_000}, "nested|no model"),
    "W of nan": (BIGRAM, {"arrays": {"W": np.full((N, N), np.nan, np.float32)}}, "nan"),
}


@pytest.mark.parametrize("case", CORRUPTED)
def test_a_wrong_content_with_a_right_checksum(tmp_path, case):
    params, changes, message = CORRUPTED[case]
    path = tmp_path / "model.safetensors"
    mm_jax.save(params, path)
    rewrite(path, **changes)
    with pytest.raises(ValueError, match=message) as refusal:
        mm_jax.load(path)
    assert str(path) in str(refusal.value)


def test_what_a_file_may_say_otherwise(tmp_path):
    """-inf is the logit of what never was; a file rewritten as it is loads."""
    path = tmp_path / "model.safetensors"
    params = mm_jax.bigram.from_counts(mm_jax.counts.fit(FIRST_FIVE, VOCAB))
    mm_jax.save(params, path)
    rewrite(path)
    assert equal(mm_jax.load(path), params)
