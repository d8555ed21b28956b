"""examples/moses.py and its metrics: values worked by hand on a handful of molecules; refusals."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

EXAMPLES = Path(__file__).parent.parent / "examples"
BENZENE, TOLUENE, ETHANOL, BIPHENYL = "c1ccccc1", "Cc1ccccc1", "CCO", "c1ccc(-c2ccccc2)cc1"


@pytest.fixture
def moses(monkeypatch):
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import moses

    return moses


@pytest.fixture
def metrics(monkeypatch):
    pytest.importorskip("rdkit", reason="rdkit is not installed: pip install -e '.[moses]'")
    monkeypatch.syspath_prepend(str(EXAMPLES))
    import moses_metrics

    return moses_metrics


def test_a_molecule_has_one_canonical_string(metrics, capfd):
    assert metrics.canonical("OCC") == metrics.canonical("C(O)C") == ETHANOL
    assert metrics.canonical("C1=CC=CC=C1") == BENZENE
    assert [metrics.canonical(text) for text in ("", "CC(", "c1ccccc", "F(C)C", "C1CC")] == [None] * 5
    assert not "".join(capfd.readouterr())  # rdkit says nothing


def test_what_is_distinct_and_what_is_new(metrics):
    valid = ["C", "CC", "C", "CCC"]
    assert metrics.unique(valid, 2) == 1
    assert metrics.unique(valid, 4) == 3 / 4
    assert np.isnan(metrics.unique(valid, 5))
    assert metrics.novelty(valid, ["C", "O"]) == 2 / 3


def test_fragments_and_scaffolds(metrics):
    # BRICS cuts the bond between an acid's C and the ester's O, and that between O and a carbon of a chain.
    assert sorted(metrics.fragments("CC(=O)OCC")) == sorted(["[1*]C(C)=O", "[3*]O[3*]", "[4*]CC"])
    assert metrics.fragments(BENZENE) == [BENZENE]
    assert metrics.scaffold("Cc1ccc(-c2ccccc2)cc1O") == BIPHENYL
    assert metrics.scaffold(TOLUENE) is None  # one ring
    assert metrics.counts_of(["a", None, "b", "a"]) == {"a": 2, "b": 1}


def test_cosine(metrics):
    assert metrics.cosine({"a": 3, "b": 4}, {"a": 3, "b": 4}) == pytest.approx(1)
    assert metrics.cosine({"a": 3, "b": 4}, {"b": 1, "c": 1}) == pytest.approx(4 / (5 * 2**0.5))
    assert np.isnan(metrics.cosine({"a": 1}, {}))


def test_similarities_equal_those_of_rdkit(metrics, monkeypatch):
    from rdkit import Chem, DataStructs
    from rdkit.Chem import rdFingerprintGenerator

    words = [BENZENE, TOLUENE, ETHANOL, BIPHENYL, "CC(=O)Nc1ccc(O)cc1"]
    morgan = rdFingerprintGenerator.GetMorganGenerator(radius=2, fpSize=1024)
    bits = [morgan.GetFingerprint(Chem.MolFromSmiles(word)) for word in words]
    table = np.array([[DataStructs.TanimotoSimilarity(a, b) for b in bits] for a in bits])
    packed = np.stack(metrics.each(metrics.fingerprint, words))
    monkeypatch.setattr(metrics, "BLOCK", 2)  # several blocks, the last of them short
    assert metrics.nearest(packed[:3], packed[3:]) == pytest.approx(table[:3, 3:].max(1).mean())
    assert metrics.nearest(packed, packed) == pytest.approx(1)
    assert metrics.internal_diversity(packed) == pytest.approx(1 - table.mean())


def test_frechet_distance(metrics):
    # Of two normal distributions on a line: (difference of means)^2 + (difference of deviations)^2.
    one, other = (np.array([1.0]), np.array([[4.0]])), (np.array([4.0]), np.array([[25.0]]))
    assert metrics.frechet(one, other) == pytest.approx(3**2 + 3**2)
    rows = np.random.default_rng(0).normal(size=(500, 4))
    turned = metrics.gaussian(rows @ np.array([[0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 2, 0], [0, 0, 0, 1]]))
    own = metrics.gaussian(rows)
    assert metrics.frechet(own, own) == pytest.approx(0, abs=1e-9)
    from scipy.linalg import sqrtm  # comes with fcd_torch

    A, B = own[1], turned[1]
    expected = ((own[0] - turned[0]) ** 2).sum() + np.trace(A + B - 2 * sqrtm(A @ B).real)
    assert metrics.frechet(own, turned) == pytest.approx(expected)


def test_a_wheel_is_checked(moses, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"gone\.whl is no file: give the path of molsets-0\.3\.1"):
        moses.found_wheel(tmp_path / "gone.whl", tmp_path)
    (tmp_path / "other.whl").write_bytes(b"PK")
    with pytest.raises(ValueError, match=r"other\.whl is not molsets-0\.3\.1-py3-none-any\.whl as published"):
        moses.found_wheel(tmp_path / "other.whl", tmp_path)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: subprocess.CompletedProcess([], 1))  # without a network
    with pytest.raises(ValueError, match=r"pip cannot fetch molsets 0\.3\.1: give the file by --wheel"):
        moses.found_wheel(None, tmp_path)


REFUSED = {
    "--samples is 1: give 2 or more": ["--model", "gru", "--samples", "1"],
    "--steps says how long a network is trained: leave it out for ngram": ["--model", "ngram", "--steps", "3"],
    "--steps says how long a network is trained: leave it out for product": ["--model", "product", "--steps", "3"],
    "--steps is 0: give 1 or more": ["--model", "gru", "--steps", "0"],
    "invalid choice: 'vae'": ["--model", "vae"],
}


@pytest.mark.parametrize("message", REFUSED)
def test_the_script_refuses(moses, message, capsys):
    with pytest.raises((ValueError, SystemExit)) as refused:
        moses.main(moses.parsed(REFUSED[message]))
    assert message in f"{refused.value}{capsys.readouterr().err}"


def test_a_refusal_is_one_line():
    command = [sys.executable, str(EXAMPLES / "moses.py"), "--model", "gru", "--samples", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stderr) == (1, "error: --samples is 1: give 2 or more\n")


def test_a_product_needs_its_members(moses, tmp_path):
    with pytest.raises(ValueError, match="a product needs its members: run --model ngram first"):
        moses.multiplied(tmp_path)
