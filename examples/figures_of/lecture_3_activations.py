"""The figures of lecture_3_activations: those the lecture prints, and those computed for the notebook.

The lecture's runs are repeated with torch's generator. A long run's `seen` is what it gave with MM_JAX_LONG=1.
"""

import numpy as np
from figures import lecture, own

BATCHES = "3.3239 2.0322 2.5675 2.0125 2.2446 1.8897 2.0785 2.3681 2.2918 2.0238"
BATCHES += " 2.3673 2.3132 1.6414 1.9311 2.2231 2.0027 2.0997 2.4949 2.0198 2.1707"
NAMES = "carpah. qarlileif. jmrix. thty. sacansa. jazhnte. dpn. arciigqeiunellaia. chriiv. kalein. dhlm. join. qhinn."
NAMES += " sroin. arian. quiqaelogiearyxix. kaeklinsan. ed. ecoia. gtleley."
FLAT_BY_GAIN = [
    [0, 0, 0, 0, 0],
    [3.5, 0.03, 0.06, 0, 0],
    [20.25, 8.37, 6.62, 5.47, 6.12],
    [47.7, 40.5, 42.4, 42.0, 42.4],
]
STD_BY_GAIN = [
    [0.41, 0.20, 0.10, 0.05, 0.02],
    [0.62, 0.48, 0.41, 0.35, 0.32],
    [0.75, 0.69, 0.67, 0.66, 0.66],
    [0.85, 0.84, 0.84, 0.84, 0.84],
]
DAY = "on 2026-11-26"


def _final(name: str, part: int):
    """Returns the final loss of a long run, or None where it was left out."""
    return lambda at: at.final and at.final[name][part]


def _batch_norm(part: int):
    """Returns train, dev, or dev by measured statistics, of the long run with batch normalization."""
    return lambda at: at.final_bn and at.final_bn[part]


FIGURES = [
    own("examples of train and dev", "182625 22655", lambda at: f"{len(at.X)} {len(at.X_dev)}"),
    lecture("parameters", 11_897, lambda at: at.num_parameters),
    lecture("first loss, original", 27.8817, lambda at: at.first_loss, 1e-4),
    lecture("all equally likely", 3.2958, lambda at: at.expected_loss, 1e-4),
    own(
        "four logits",
        [1.3863, 0.0200, 5.0200, 5.0553],
        lambda at: [at.four(*row) for row in at.four_rows],
        1e-4,
        names=False,
    ),
    own(
        "first logits",
        [-2.35, 36.44, -10.73, 5.72, 18.64, -11.70, -2.20, 1.85],
        lambda at: at.first_logits[:8],
        6e-3,
    ),
    own(
        "b2 = 0; W2 times 1, 0.1, 0.01, 0",
        [27.9729, 4.2326, 3.3221, 3.2958],
        lambda at: [at.scaled_W2[scale] for scale in (1, 0.1, 0.01, 0)],
        1e-4,
    ),
    own("three of them under vmap", [3.2958, 27.9729], lambda at: at.losses_at[np.array([0, -1])], 1e-4),
    own(
        "first losses of four starts",
        [27.8817, 3.3221, 3.3135, 3.3179],
        lambda at: [values[0] for values in at.four_losses.values()],
        1e-4,
    ),
    own("flat at the start, %", 60.95, lambda at: 100 * at.flat.mean(), 6e-3),
    lecture("dead neurons", 0, lambda at: int(at.flat.all(0).sum())),
    own("W1 times 0.2: flat, %", 0.98, lambda at: 100 * at.flat_tanh.mean(), 6e-3),
    own("Kaiming: deviation", 1.52, lambda at: at.pre_kaiming.std(), 6e-3),
    own("gain 5/3 settles near", 0.65, lambda at: at.deviations[2, -1], 0.01, names=False),
    lecture("parameters, batch norm", 12_097, lambda at: at.num_parameters_bn),
    lecture("first loss, batch norm", 3.3239, lambda at: at.first_loss_bn, 1e-4),
    lecture(
        "its steps 0, 10,000, 20,000",
        [3.3239, 2.0322, 2.5675],
        lambda at: at.losses_bn[np.array([0, 10_000, 20_000])],
        1e-4,
    ),
    own("gradient of b1, float32", 0, lambda at: at.b1_float32, 1e-7, names=False),
    own("gradient of b1, float64", 0, lambda at: at.b1_float64, 1e-15, names=False),
    lecture(
        "batch norm: 20 batch losses",
        [float(each) for each in BATCHES.split()],
        lambda at: at.long_bn and np.array(at.long_bn[1])[::10_000],
        1e-3,
        seen=f"off by 1e-4 {DAY}",
    ),
    lecture("batch norm, train", 2.06741, _batch_norm(0), 2e-3, seen=f"2.06741 {DAY}"),
    lecture("batch norm, val", 2.10568, _batch_norm(1), 2e-3, seen=f"2.10568 {DAY}"),
    own("its val, statistics measured", 2.10560, _batch_norm(2), 2e-3, seen=f"2.10560 {DAY}"),
    lecture("original, train", 2.1245, _final("original", 0), 0.01, seen=f"2.1249 {DAY}"),
    lecture("original, val", 2.1682, _final("original", 1), 0.01, seen=f"2.1691 {DAY}"),
    lecture("softmax, train", 2.07, _final("softmax", 0), 2e-3, seen=f"2.06959 {DAY}"),
    lecture("softmax, val", 2.13, _final("softmax", 1), 2e-3, seen=f"2.13107 {DAY}"),
    lecture("tanh, train", 2.0355966, _final("tanh", 0), 2e-3, seen=f"2.03560 {DAY}"),
    lecture("tanh, val", 2.1026785, _final("tanh", 1), 2e-3, seen=f"2.10268 {DAY}"),
    lecture("Kaiming, train", 2.0376642, _final("Kaiming", 0), 2e-3, seen=f"2.03766 {DAY}"),
    lecture("Kaiming, val", 2.1069896, _final("Kaiming", 1), 2e-3, seen=f"2.10699 {DAY}"),
    own("running statistics from measured", np.array([0.104, 0.066]), lambda at: at.statistics_apart, 2e-3),
    own("named axis and batch, apart", 0, lambda at: at.named_apart, 2e-6, names=False),
    own("folded logits, apart", 0, lambda at: at.fold_apart, 1e-4, names=False),
    own("numbers, folded", 11_897, lambda at: at.mm_jax.num_params(at.folded)),
    lecture("parameters, six layers", 47_024, lambda at: at.num_deep),
    own("without batch norm", 46_497, lambda at: at.num_plain),
    own("deviations by gain", np.array(STD_BY_GAIN).ravel(), lambda at: at.std_by_gain.ravel(), 6e-3),
    own("saturated by gain, %", np.array(FLAT_BY_GAIN).ravel(), lambda at: at.flat_by_gain.ravel(), 0.06),
    own(
        "gradient at the first layer",
        [1.9e-5, 1.8e-4, 4.2e-4, 1.0e-3],
        lambda at: at.grad_by_gain[:, 0],
        5e-5,
    ),
    own("gradient at the last layer", [3.1e-4] * 4, lambda at: at.grad_by_gain[:, -1], 6e-6),
    lecture("six layers: first loss", 3.2870, lambda at: at.read["loss"][0], 1e-4),
    lecture("step 1,000: deviations", [0.63, 0.64, 0.65, 0.65, 0.65], lambda at: at.last["std"], 6e-3),
    lecture("saturated, %", [2.78, 2.56, 2.25, 1.69, 1.88], lambda at: at.last["flat"], 6e-3),
    lecture(
        "gradients at activations",
        [2.640702e-03, 2.245584e-03, 2.045742e-03, 1.983134e-03, 1.952382e-03],
        lambda at: at.last["at activations"],
        1e-8,
    ),
    lecture(
        "gradient to data, C and W1 to W5",
        [8.0125e-03, 4.8811e-02, 6.9646e-02, 6.0737e-02, 5.6315e-02, 5.5701e-02],
        lambda at: at.last["gradient to data"][:6],
        1e-6,
    ),
    lecture("gradient to data, W6", 1.1602e-01, lambda at: at.last["gradient to data"][6], 1e-5),
    own(
        "update to data",
        [-3.10, -2.31, -2.16, -2.22, -2.25, -2.25, -1.94],
        lambda at: at.last["update to data"],
        6e-3,
    ),
    own("dev: right, no fan-in", [2.398, 2.695], lambda at: [at.faulty_dev[0], at.faulty_dev[2]], 2e-3),
    own("six linear layers and one, apart", 0, lambda at: at.linear_apart, 1e-5, names=False),
    lecture("six layers, train", 2.4002976, lambda at: at.deep_train, 1e-5),
    lecture("six layers, val", 2.3982468, lambda at: at.deep_dev, 1e-5),
    lecture("twenty names", NAMES, lambda at: " ".join(at.names)),
    lecture(
        "linear: a b c, gradients c a b",
        [0.9876, 1.0007, 31.0124, 0.9783, 30.8818, 0.9667],
        lambda at: at.linear_std,
        1e-4,
        names=False,
    ),
    lecture(
        "with batch norm: x out, gradients",
        [31.0124, 1.0000, 0.9783, 0.0315, 0.0312, 0.9953],
        lambda at: at.norm_std,
        1e-4,
        names=False,
    ),
    own("all zeros: dev after 20,001 steps", 2.8212, lambda at: at.dev_zeros, 1e-3),
    own("all zeros: closed form", 2.8210, lambda at: at.closed_form, 1e-4),
    own("all zeros: what moved besides b2", 0, lambda at: max(at.moved[each] for each in ("C", "W1", "b1", "W2"))),
    own("six layers folded, apart", 0, lambda at: at.six_apart, 1e-4, names=False),
]
