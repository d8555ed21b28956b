"""The figures of lecture_5_wavenet, in its order."""

import numpy as np
from figures import LONG, lecture, own

SEEN = "2026-11-26"
LOSSES = [3.3167, 2.0576, 2.0723, 2.5134, 2.1476, 1.7836, 2.2592, 1.9331, 1.6875, 2.0395]
LOSSES += [1.7736, 1.9570, 1.7465, 1.8126, 1.7406, 1.7466, 1.8806, 1.6266, 1.6476, 1.8555]
NAMES = (
    "arlij chetta heago rocklei hendrix jamylie broxin denish anslibt marianah "
    "astavia annayve aniah jayce nodiel remita niyelle jaylene aiyan aubreana"
)
WINDOWS = "........ -> y, .......y -> u, ..yuheng -> ., .diondre -> ."


def end(run, part):
    """The loss of a whole run on train or dev; None where it was left out."""
    return run and run[part]


def apart(one, other):
    """The largest difference of two arrays."""
    return float(np.abs(np.asarray(one) - np.asarray(other)).max())


def gain(at, better, worse):
    """Of eight seeds; None where the long runs were left out."""
    return float(at.paired(better, worse)[0]) if LONG else None


def idea(at, name):
    """The gain of an idea over the plain network; None where the long runs were left out."""
    return float(at.gains[name].mean) if LONG else None


FIGURES = [
    lecture("parameters, 3 characters", 12_097, lambda at: at.num_params(at.net3)),
    lecture("one example in training mode", "nan", lambda at: str(float(at.alone[0])), names=False),
    own("the same window, two batches: apart", "yes", lambda at: "yes" if apart(*at.company) > 1e-3 else "no"),
    lecture("3 characters: train", 2.058, lambda at: end(at.whole3, "train"), 2e-3, seen=f"2.0583, {SEEN}"),
    lecture("3 characters: dev", 2.105, lambda at: end(at.whole3, "dev"), 2e-3, seen=f"2.1065, {SEEN}"),
    lecture("shape of X", "(182625, 8)", lambda at: str(at.X8.shape)),
    lecture("windows 1, 2, 7, 15", WINDOWS, lambda at: ", ".join(at.windows20[i] for i in (0, 1, 6, 14))),
    own("parameters, 8 characters, flat", 22_097, lambda at: at.num_params(at.flat)),
    # The lecture has 1.918 / 2.027, 1.941 / 2.029, 1.912 / 2.022, from other minibatches: ours differ by luck.
    own("8, flat: train", 1.9163, lambda at: end(at.whole_flat, "train"), 2e-3, seen=f"1.9163, {SEEN}"),
    own("8, flat: dev (lecture 2.027)", 2.0342, lambda at: end(at.whole_flat, "dev"), 2e-3, seen=f"2.0342, {SEEN}"),
    lecture("four pairs", "(4, 4, 20)", lambda at: str(at.by_hand.shape), names=False),
    lecture("even and odd places, and join(x, 2)", 0.0, lambda at: apart(at.by_hand, at.join(at.pairs, 2))),
    own("parameters, tree", 22_397, lambda at: at.num_params(at.tree)),
    own("tree, bug: train", 1.9471, lambda at: end(at.whole_bug, "train"), 2e-3, seen=f"1.9471, {SEEN}"),
    own("tree, bug: dev (lecture 2.029)", 2.0311, lambda at: end(at.whole_bug, "dev"), 2e-3, seen=f"2.0311, {SEEN}"),
    lecture("means, bug", "[(4, 68), (2, 68), (68,)]", lambda at: str(at.bug_shapes), names=False),
    lecture("means, mended", "[(68,), (68,), (68,)]", lambda at: str(at.mended_shapes), names=False),
    own("means of channel 0, by the names", "4, 1", lambda at: ", ".join(str(n) for n in at.different.values())),
    own("tree, mended: train", 1.9110, lambda at: end(at.whole_mended, "train"), 2e-3, seen=f"1.9110, {SEEN}"),
    own(
        "tree, mended: dev (lecture 2.022)",
        2.0202,
        lambda at: end(at.whole_mended, "dev"),
        2e-3,
        seen=f"2.0202, {SEEN}",
    ),
    lecture("parameters, wide tree", 76_579, lambda at: at.num_params(at.wide)),
    lecture("losses of steps 0, 10,000, 20,000", np.array(LOSSES[:3]), lambda at: at.losses[::10_000], 1e-3),
    lecture(
        "20 losses of 200,000 steps",
        np.array(LOSSES),
        lambda at: at.whole and at.whole["losses"][::10_000],
        1e-3,
        seen=f"equal, {SEEN}",
    ),
    lecture("wide tree: train", 1.76903, lambda at: end(at.whole, "train"), 2e-3, seen=f"1.7690, {SEEN}"),
    lecture("wide tree: dev", 1.99365, lambda at: end(at.whole, "dev"), 2e-3, seen=f"1.9937, {SEEN}"),
    lecture("the stored network: train", 1.76903, lambda at: at.final_losses[0], 1e-4),
    lecture("the stored network: dev", 1.99365, lambda at: at.final_losses[1], 1e-4),
    lecture("its 20 names", NAMES, lambda at: " ".join(at.names20)),
    own(
        "tree, mended, over bug: gain",
        0.0150,
        lambda at: gain(at, "tree, mended", "tree, bug"),
        5e-3,
        seen=f"0.0150, {SEEN}",
    ),
    own(
        "tree, mended, over flat: gain",
        0.0086,
        lambda at: gain(at, "tree, mended", "flat"),
        5e-3,
        seen=f"0.0086, {SEEN}",
    ),
    lecture("eight windows", "(8, 27)", lambda at: str(at.at_once.shape), names=False),
    lecture("one call each, and all at once", 0.0, lambda at: apart(at.one_call_each, at.at_once), 1e-5, names=False),
    own(
        "edges of eight trees, different ones",
        "112, 68",
        lambda at: f"{sum(at.every.values())}, {len(at.every)}",
        names=False,
    ),
    own("products a place: windows", 122_880, lambda at: at.tree_of_a_window, names=False),
    own("products a place: shared", 71_680, lambda at: at.shared, names=False),
    own("one pass, and the windows", 0.0, lambda at: apart(at.rows, at.at_once), 1e-5, names=False),
    own("lax's convolution, and the windows", 0.0, lambda at: apart(at.convolved, at.at_once), 1e-5, names=False),
    own("mm_jax.unroll, and the windows", 0.0, lambda at: apart(at.unrolled, at.at_once), 1e-5, names=False),
    own("parameters, folded", 76_195, lambda at: at.mm_jax.num_params(at.folded)),
    own("folded, and with batch norm", 0.0, lambda at: apart(at.before, at.after), 1e-4),
    own("dev, WaveNet, Adam (varies)", 2.0115, lambda at: at.ladder["WaveNet, Adam"].nll, 0.015),
    own("dev, MLP, 8 characters (varies)", 1.9941, lambda at: at.ladder["MLP, 8 characters"].nll, 0.015),
    own("dev, MLP, 3 characters (varies)", 2.0935, lambda at: at.ladder["MLP, 3 characters"].nll, 0.015),
    own("dev, WaveNet, the recipe (varies)", 1.957, lambda at: at.ours_dev, 0.015),
    own("dev, Kneser-Ney", 1.9740, lambda at: at.ladder["Kneser-Ney, order 6"].nll, 2e-3),
    own(
        "rows by queue, and the windows",
        0.0,
        lambda at: apart(at.jnp.stack(at.by_queue), at.at_once),
        1e-5,
        names=False,
    ),
    own("numbers in the queues", 792, lambda at: sum(q.size for q in at.queues), names=False),
    own(
        "names by window and by queue",
        "the same",
        lambda at: "the same" if at.from_windows == at.from_queues else "others",
        names=False,
    ),
    own("gates: gain over plain", 0.0057, lambda at: idea(at, "gates"), 5e-3, seen=f"0.0057, {SEEN}"),
    own("residual: gain over plain", 0.0329, lambda at: idea(at, "residual"), 5e-3, seen=f"0.0329, {SEEN}"),
    own("skips: gain over plain", 0.0362, lambda at: idea(at, "skips"), 5e-3, seen=f"0.0362, {SEEN}"),
]
