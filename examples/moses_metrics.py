"""Computes the metrics of MOSES, a benchmark of models that make molecules, for a list of SMILES.

A SMILES string writes a molecule's atoms and bonds one after another; rdkit reads it, and writes the one canonical
string of a molecule. The definitions are those of Polykovskiy et al. (2020), Molecular Sets (MOSES), section 4:

    valid        share of the strings that rdkit reads
    unique@k     distinct canonical strings among the first k valid ones, divided by k
    novelty      share of the distinct valid molecules that are not in the training set
    FCD          Frechet distance between two Gaussians: activations of ChemNet, of these molecules and of the test set
    SNN          Tanimoto similarity to the nearest molecule of a test set, mean over the valid molecules
    Frag, Scaf   cosine similarity of counts: BRICS fragments, and Bemis-Murcko scaffolds of at least two rings
    IntDiv       1 - Tanimoto similarity, mean over all pairs

It needs rdkit, and `activations` needs fcd_torch (which takes torch and scipy).
"""

import multiprocessing
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from rdkit import Chem, rdBase
from rdkit.Chem import BRICS, rdFingerprintGenerator
from rdkit.Chem.Scaffolds import MurckoScaffold

PROCESSES = 2
BITS = 1024  # of a fingerprint
RADIUS = 2  # bonds around an atom that a fingerprint sees
BLOCK = 2048  # rows of a product of fingerprints: it takes BLOCK * BLOCK floats
_MORGAN = rdFingerprintGenerator.GetMorganGenerator(radius=RADIUS, fpSize=BITS)


def each(function: Callable[[str], Any], molecules: Sequence[str]) -> list[Any]:
    """Calls a function of this module on every molecule, in several processes where there are many."""
    if len(molecules) < 1000:
        return [function(molecule) for molecule in molecules]
    with multiprocessing.get_context("spawn").Pool(PROCESSES) as pool:
        return pool.map(function, molecules, chunksize=500)


def canonical(smiles: str) -> str | None:
    """Returns the canonical SMILES of a molecule; None for a string that is none."""
    with rdBase.BlockLogs():  # or rdkit prints a line for each string that is no molecule
        molecule = Chem.MolFromSmiles(smiles) if smiles else None
        return None if molecule is None else Chem.MolToSmiles(molecule)


def fingerprint(smiles: str) -> np.ndarray:
    """Returns a Morgan fingerprint, a bit for each kind of surroundings that an atom may have: uint8 [BITS / 8]."""
    return np.packbits(_MORGAN.GetFingerprintAsNumPy(Chem.MolFromSmiles(smiles)))


def fragments(smiles: str) -> list[str]:
    """Returns what is left when the bonds are cut that a synthesis would make (BRICS)."""
    return Chem.MolToSmiles(BRICS.BreakBRICSBonds(Chem.MolFromSmiles(smiles))).split(".")


def scaffold(smiles: str) -> str | None:
    """Returns the rings and what joins them (Bemis and Murcko); None for fewer than two rings."""
    found = MurckoScaffold.GetScaffoldForMol(Chem.MolFromSmiles(smiles))
    return Chem.MolToSmiles(found) if found.GetRingInfo().NumRings() > 1 else None


def counts_of(parts: Iterable[str | None]) -> Counter[str]:
    """Counts fragments or scaffolds, without None."""
    return Counter(part for part in parts if part is not None)


def cosine(a: Mapping[str, int], b: Mapping[str, int]) -> float:
    """Returns the cosine similarity of two tables of counts; nan where one is empty."""
    product = sum(count * b[part] for part, count in a.items() if part in b)
    lengths = [sum(count**2 for count in table.values()) ** 0.5 for table in (a, b)]
    return product / (lengths[0] * lengths[1]) if all(lengths) else float("nan")


def unique(valid: Sequence[str], k: int) -> float:
    """Returns the share of distinct strings among the first k canonical ones; nan for fewer than k."""
    return len(set(valid[:k])) / k if len(valid) >= k else float("nan")


def novelty(valid: Iterable[str], train: Iterable[str]) -> float:
    """Returns the share of distinct canonical strings that are not in train."""
    distinct = set(valid)
    return len(distinct - set(train)) / len(distinct) if distinct else float("nan")


def nearest(packed: np.ndarray, reference: np.ndarray) -> float:
    """Returns the mean over fingerprints uint8 [molecules, BITS / 8] of the highest similarity to a reference: SNN."""
    highest = [np.max([block.max(1) for block in blocks], axis=0) for blocks in _similarities(packed, reference)]
    return float(np.concatenate(highest).mean())


def internal_diversity(packed: np.ndarray) -> float:
    """Returns 1 - the mean similarity of all pairs of fingerprints uint8 [molecules, BITS / 8], own pairs included."""
    total = sum(float(block.sum()) for blocks in _similarities(packed, packed) for block in blocks)
    return 1 - total / len(packed) ** 2


def _similarities(a: np.ndarray, b: np.ndarray) -> Iterable[Iterable[np.ndarray]]:
    """Yields for each block of rows of a the Tanimoto similarities to each block of rows of b: common / all bits."""
    for rows in _blocks(a):
        bits = rows.sum(1)[:, None]

        def one(columns: np.ndarray, rows: np.ndarray = rows, bits: np.ndarray = bits) -> np.ndarray:
            common = rows @ columns.T
            return common / np.maximum(bits + columns.sum(1) - common, 1)

        yield map(one, _blocks(b))


def _blocks(packed: np.ndarray) -> Iterable[np.ndarray]:
    """Yields blocks of fingerprints as float32 [block, BITS], so that the common bits are one product."""
    for first in range(0, len(packed), BLOCK):
        yield np.unpackbits(packed[first : first + BLOCK], axis=1).astype(np.float32)


def activations(valid: Sequence[str]) -> np.ndarray:
    """Returns what ChemNet, a network that knows what molecules do, says of each molecule: float32 [molecules, 512]."""
    import fcd_torch

    return fcd_torch.FCD(canonize=False).get_predictions(valid)


def frechet(a: tuple[np.ndarray, np.ndarray], b: tuple[np.ndarray, np.ndarray]) -> float:
    """Returns the squared Frechet distance between two Gaussians, each a mean [n] and a covariance [n, n].

    |mean_a - mean_b|^2 + trace(A + B - 2 sqrt(A B)), where the trace of the root is the sum of the roots of the
    eigenvalues of sqrt(A) B sqrt(A), which is symmetric.
    """
    (mean_a, A), (mean_b, B) = a, b
    values, vectors = np.linalg.eigh(A)
    root = vectors * np.sqrt(np.maximum(values, 0)) @ vectors.T
    roots = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ B @ root), 0)).sum()
    return float(((mean_a - mean_b) ** 2).sum() + np.trace(A) + np.trace(B) - 2 * roots)


def gaussian(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns the mean and the covariance of rows [molecules, n], in float64."""
    rows = rows.astype(np.float64)
    return rows.mean(0), np.cov(rows.T)
