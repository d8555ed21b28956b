"""A model file with a right checksum and a wrong content is refused in words."""

import json

import numpy as np
import pytest
import safetensors.numpy

import mm_jax
from mm_jax import checkpoint

from .conftest import FIRST_FIVE, equal
from .models.zoo import VOCAB, model


def rewrite(path, arrays=None, metadata=None, spec=None):
    """The file again with other contents, and a checksum that is right for them. None as a value takes a name out."""
    arrays = {name: value() if callable(value) else value for name, value in (arrays or {}).items()}
    old_arrays, old_metadata = checkpoint.read_arrays(path, "model")
    new = {name: value for name, value in (old_arrays | arrays).items() if value is not None}
    described = {name: value for name, value in (old_metadata | (metadata or {})).items() if value is not None}
    if spec is not None:
        described["model"] = spec if isinstance(spec, str) else json.dumps(spec)
    described["sha256"] = checkpoint._checksum(new, described)
    path.write_bytes(safetensors.numpy.save(new, described))


# Models of the zoo, by name.
MLP, COUNTS, NGRAM, MIXTURE, BIGRAM = "mlp", "counts", "ngram", "mixture", "bigram"
N = len(VOCAB)


def levels(name, change):
    """An array of the third level of the n-gram, altered when a case is run."""
    return {"arrays": {f"levels.2.{name}": lambda: change(np.array(getattr(model(NGRAM).levels[2], name)))}}


def backwards(values):
    return values[::-1].copy()


def changed(at, value):
    def change(values):
        values[at] = value
        return values

    return change


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
        levels("codes", backwards),
        "order 3 is out of order",
    ),
    "codes too large": (NGRAM, levels("codes", changed(-1, 2**30)), "out of order"),
    "codes below 0": (NGRAM, levels("codes", changed(0, -5)), "out of order"),
    "first out of order": (NGRAM, levels("first", backwards), "out of order"),
    "first too large": (NGRAM, levels("first", changed(-1, 10**6)), "out of order"),
    "tokens": (NGRAM, levels("tokens", changed(0, N)), "beyond the vocabulary"),
    "tokens below 0": (
        NGRAM,
        levels("tokens", changed(0, -1)),
        "beyond the vocabulary",
    ),
    "values": (NGRAM, levels("values", changed(0, 7.0)), "outside"),
    "backoff": (NGRAM, levels("backoff", changed(0, -1.0)), "outside"),
    "values nan": (NGRAM, levels("values", changed(0, np.nan)), "nan"),
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
    name, changes, message = CORRUPTED[case]
    path = tmp_path / "model.safetensors"
    mm_jax.save(model(name), path)
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
