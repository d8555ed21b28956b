"""The figures of lecture_2_mlp: `figures.show` computes them from the names that the notebook has bound."""

import numpy as np
from figures import lecture, lost, own

_TARGETS = "5 13 13 1 0 15 12 9 22 9 1 0 1 22 1 0 9 19 1 2 5 12 12 1 0 19 15 16 8 9 1 0"
_PRE_ACTIVATIONS = np.array([0.0488, -1.6588, -3.3078, -1.4160, 0.2018, -2.7426])
_TANH = np.array([0.0488, -0.9301, -0.9973, -0.8888, 0.1991, -0.9917])
_TEN = np.array([17.7697, 13.6564, 11.2988, 9.4525, 7.9843, 6.8913, 6.1000, 5.4520, 4.8982, 4.4147])
ALL_FOUR = "+ contexts: all four"


def _mean(row):
    return lambda at: float(np.mean(at.ablation[row]))


def _shape(name):
    return lambda at: str(getattr(at, name).shape)


FIGURES = [
    own("29 rows for 1, 2, 3 characters", "[27, 729, 19683]", lambda at: str(at.rows_of_a_table), names=False),
    own("29 contexts of three that occur", 5686, lambda at: len(at.seen)),
    lecture("31 words", 32_033, lambda at: len(at.words)),
    lecture("31 numbers of ., a, z", "0 1 26", lambda at: f"{at.stoi['.']} {at.stoi['a']} {at.stoi['z']}"),
    lecture("32 examples of five words", 32, lambda at: len(at.Y)),
    lecture("32 shape of X", "(32, 3)", _shape("X")),
    lecture("32 shape of Y", "(32,)", _shape("Y")),
    lecture("32 targets", np.array(_TARGETS.split(), int), lambda at: at.Y),
    lecture("33 shape of C", "(27, 2)", _shape("C")),
    lost("33 C[5] of a table without a seed", "-1.0411 0.3832", lambda at: "{:.4f} {:.4f}".format(*at.C[5].tolist())),
    lecture("34 shape of C[X]", "(32, 3, 2)", _shape("emb")),
    lecture("34 X[2, 1]", 5, lambda at: int(at.X[2, 1])),
    lecture("35 shape of W1", "(6, 100)", _shape("W1"), names=False),
    lecture("35 shape of b1", "(100,)", _shape("b1"), names=False),
    lecture("36 one of three", "(32, 2)", lambda at: str(at.unstacked[0].shape)),
    lecture("36 joined", "(32, 6)", _shape("joined")),
    own("36 joined and reshaped", 0.0, lambda at: float(abs(at.joined - at.flat).max()), names=False),
    lecture("36 the line seen as", "(3, 3, 2)", _shape("seen_as"), names=False),
    lecture("37 hidden values", 3200, lambda at: at.h.size),
    lecture("37 shape of h", "(32, 100)", _shape("h")),
    lecture("37 tanh of printed values", _TANH, lambda at: np.tanh(_PRE_ACTIVATIONS), 6e-5, names=False),
    own("37 share of h beyond 0.99", 0.33, lambda at: float(at.saturated), 0.005),
    lecture("38 shape of W2", "(100, 27)", _shape("W2")),
    lecture("38 shape of b2", "(27,)", _shape("b2")),
    lecture("38 shape of logits", "(32, 27)", _shape("logits")),
    lecture("38 row 17 sums to", 1.0, lambda at: float(at.prob[17].sum()), 1e-6),
    lost("38 loss of weights without a seed", "16.8043", lambda at: f"{at.loss_by_hand:.4f}"),
    lecture("39 parameters", 3481, lambda at: at.num_params),
    own("40 loss by hand", 17.7697, lambda at: float(at.loss_by_hand), 1e-4),
    own("40 loss by cross entropy", 17.7697, lambda at: float(at.loss(at.start, at.X, at.Y)), 1e-4),
    own("40 loss, generator 367452352", 18.9828, lambda at: float(at.loss(at.other_start, at.X, at.Y)), 1e-4),
    own("40 exp, normalise at 100", "nan", lambda at: str(at.bare[3]), names=False),
    own("40 gradient: prob - target", np.array([0.2447, 0.6652, -0.9100]), lambda at: at.by_jax, 1e-4, names=False),
    own("41 mean of 32 losses by vmap", 17.7697, lambda at: float(at.each_loss.mean()), 1e-4),
    own("42 first ten losses", _TEN, lambda at: at.overfit_losses[:10], 2e-4),
    own("42 after 1,000 steps", 0.2561, lambda at: at.overfit_losses[1000], 1e-4),
    lecture("42 0.25441, reached near step 1,500", 0.2544, lambda at: at.overfit_losses[1500], 1e-4),
    own("42 after 2,000 steps", 0.2536, lambda at: at.overfit_losses[2000], 1e-4),
    own("42 floor, 5 ln 5 / 32", 0.2515, lambda at: float(at.floor), 6e-5, names=False),
    own("42 right after 2,200 steps", 28, lambda at: at.num_right),
    own("42 the ten losses of fit", _TEN, lambda at: at.ten_steps.loss, 2e-4),
    lecture("43 examples of all words", 228_146, lambda at: len(at.X_all)),
    lecture("44 first candidates", np.array([0.001, 0.002, 0.003]), lambda at: at.evenly[:3], 1e-6, names=False),
    lecture(
        "44 first and last by exponent",
        np.array([0.001, 1.0]),
        lambda at: at.rates[np.array([0, -1])],
        1e-6,
        names=False,
    ),
    lost(
        "44 a good rate (read off a picture)",
        "0.1 to 0.2",
        lambda at: f"{min(at.good_rates):.2g} to {max(at.good_rates):.2g}",
    ),
    own("47 words in the parts", "25626, 3203, 3204", lambda at: ", ".join(str(len(part)) for part in at.split)),
    own(
        "47 rows in the parts",
        "182625, 22655, 22866",
        lambda at: ", ".join(str(len(Y)) for _, Y in at.parts.values()),
    ),
    own("47 split by hand is split_words", "True", lambda at: str(at.by_hand == at.split), names=False),
    own("48 parameters, 2 x 300", 10_281, lambda at: at.mm_jax.num_params(at.wide_start)),
    lecture("50 shapes of C and W1", "(27, 10) (30, 200)", lambda at: f"{at.large.C.shape} {at.large.W1.shape}"),
    own("50 parameters, 10 x 200", 11_897, lambda at: at.mm_jax.num_params(at.large)),
    own("50 loss of all words at the start", 26.0063, lambda at: at.start_of_large, 5e-4),
    own("50 dev, 2 x 300 (varies)", 2.2338, lambda at: at.wide_losses[1], 0.02),
    own("50 train, 10 x 200 (varies)", 2.1464, lambda at: at.large_losses[0], 0.02),
    own("50 dev, 10 x 200 (varies)", 2.1778, lambda at: at.large_losses[1], 0.02),
    own(
        "53 Adam by hand and by optax", 0.0, lambda at: float(abs(at.first_move - at.updates).max()), 1e-6, names=False
    ),
    own("54 dev, + scaled start (varies)", 2.3886, _mean("+ scaled start"), 0.02),
    own("54 dev, + Adam, cosine (varies)", 2.3154, _mean("+ Adam and cosine"), 0.02),
    own("54 dev, + 320 (varies)", 2.1718, _mean("+ batches of 320"), 0.02),
    own("54 dev, all four (varies)", 2.0936, _mean(ALL_FOUR), 0.01),
    own("54 dev, all but the start (varies)", 2.1811, _mean("all but the start"), 0.01),
    own("54 dev, all but Adam (varies)", 2.3714, _mean("all but Adam and cosine"), 0.02),
    own("55 dev, tuned (varies)", 2.093, lambda at: at.best_losses[1], 0.01),
]
