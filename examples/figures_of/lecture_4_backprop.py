"""The figures of lecture_4_backprop."""

import numpy as np
from figures import lecture, lost, own

TARGETS = "8 14 15 22 0 19 9 14 5 1 20 3 8 14 12 0 11 0 26 9 25 0 1 1 7 18 9 3 5 9 0 18"
LOSSES = [3.7973, 2.1702, 2.3853, 2.3975, 2.0287, 2.3534, 2.3603, 2.0154, 2.3960, 2.1171]
LOSSES += [1.9549, 2.3076, 2.0666, 2.4007, 2.3396, 2.2572, 1.9104, 1.7977, 1.9959, 1.9595]
THEIRS = "3.7805, 2.1775, 2.3957"  # printed every 10,000 steps


def largest(differences):
    """The largest of the differences by variable."""
    return max(differences.values())


def answered(at):
    """How far the 26 answers of the cells are from those of the table of rules."""
    pairs = [(getattr(at, f"d{name}"), dy) for name, dy in at.by_rules.items()]
    return max(float(np.abs(np.asarray(mine) - np.asarray(dy)).max()) for mine, dy in pairs)


FIGURES = [
    own("the neuron's gradients, by hand", 0.0, lambda at: at.neuron_apart, 1e-6, names=False),
    lecture("words in train, dev, test", "182625, 22655, 22866", lambda at: at.sizes),
    lecture("parameters, 64 hidden", 4137, lambda at: at.num_params),
    lecture("targets of the minibatch", np.array(TARGETS.split(), int), lambda at: np.array(at.Y)),
    lost("loss of the minibatch", "3.3377", lambda at: f"{at.loss:.4f}"),
    own("loss with gain 1, bias 0", 3.3396, lambda at: float(at.plain["loss"]), 1e-4),
    own("loss, our gain and bias", 3.3423, lambda at: float(at.loss), 1e-4),
    own("steps that a second step reads", 4, lambda at: len(at.forks), names=False),
    own("steps one by one and jax.grad", 0.0, lambda at: at.walk_and_grad, 1e-6, names=False),
    own("gradients by hand", 26, lambda at: len(at.by_rules), names=False),
    own("answers of the cells, all 26", 0.0, answered, 1e-7, names=False),
    own("largest difference, float32", 0.0, lambda at: largest(at.apart["float32"]), 1e-7, names=False),
    own("largest difference, float64", 0.0, lambda at: largest(at.apart["float64"]), 1e-15, names=False),
    own("largest |dlogit_maxes|, float32", 0.0, lambda at: at.zero["float32"], 1e-7, names=False),
    own("largest |dlogit_maxes|, float64", 0.0, lambda at: at.zero["float64"], 1e-15, names=False),
    own("largest |db1|, float64", 0.0, lambda at: at.zero_b1["float64"], 1e-15, names=False),
    own("rules alone, random dy: wrong ones", 0, lambda at: at.wrong_alone, names=False),
    lecture("loss in one go: difference", 0.0, lambda at: at.one_go["loss"], 1e-6, names=False),
    lecture("dlogits in one go: difference", 0.0, lambda at: at.one_go["dlogits"], 5e-8, names=False),
    lecture("dlogits: sum of a row", 0.0, lambda at: float(dlogits_sum(at)), 1e-7, names=False),
    lecture("dlogits, row 0 at its target, times n", -0.98, lambda at: float(at.row[at.Y[0]]), 0.011),
    own("diag(p) - p p^T", 0.0, lambda at: at.jacobian_apart, 1e-7, names=False),
    lecture("dhprebn in one go: difference", 0.0, lambda at: at.one_go["dhprebn"], 1e-8, names=False),
    lecture("parameters, 200 hidden", 12_297, lambda at: at.num_params_200),
    lost("losses at steps 0, 10,000, 20,000", THEIRS, lambda at: at.printed),
    own("losses at steps 0 and 10,000", np.array(LOSSES[:2]), lambda at: at.losses[::10_000], 5e-4),
    own("loss by loss, jax.grad: largest diff", 0.0, lambda at: at.losses_apart, 1e-4, names=False),
    own("train after 20,000 steps", 2.2135, lambda at: at.after[0], 2e-3),
    own("dev after 20,000 steps", 2.2309, lambda at: at.after[1], 2e-3),
    own(
        "20 losses, 200,000 steps",
        np.array(LOSSES),
        lambda at: None if at.long is None else at.long[1][::10_000],
        5e-3,
        seen="off by 5e-05 on 2026-11-26",
    ),
    own(
        "train after 200,000 steps",
        2.0707,
        lambda at: at.long and at.long_after[0],
        2e-3,
        seen="2.07065 on 2026-11-26",
    ),
    own("dev after 200,000 steps", 2.1073, lambda at: at.long and at.long_after[1], 2e-3, seen="2.10730 on 2026-11-26"),
    lost("the lecture's train, dev, 200,000", "2.0705, 2.1099", lambda at: "2.0707, 2.1073"),
    lost("first and last of its 20 names", "carmahzamille iia", lambda at: ""),
    own("optax on our gradients, jax.grad", 0.0, lambda at: at.optax_apart, 1e-5, names=False),
    own("mm_jax.fit on ours and on its own", 0.0, lambda at: at.fit_apart, 1e-4, names=False),
    own("equations of the loss", 49, lambda at: at.equations[0], names=False),
    own("equations of its gradient", 124, lambda at: at.equations[1], names=False),
    own("dlogits inside jax.grad and ours", 0.0, lambda at: at.inside_apart, 5e-8, names=False),
]


def dlogits_sum(at):
    """The largest sum of a row of dlogits, in size."""
    return np.abs(np.asarray(at.dlogits).sum(1)).max()
