"""The figures of lecture_1_bigrams: what the lecture prints, what is computed for it, what is lost."""

import math

import numpy as np
from figures import lecture, lost, own, stored

PRINTED = stored()
FREQUENT = "n<E> 6763 a<E> 6640 an 5438 <S>a 4410 e<E> 3983 ar 3264 el 3248 ri 3033 na 2977 <S>k 2963"
TWENTY = "1 1 2 0 0 2 1 1 0 0 0 1 1 0 0 1 1 0 0 1"
FIFTY = "0 2 0 0 1 0 0 1 0 0 0 1 1 1 0 1 1 0 0 1 1 1 0 1 1 0 1 1 0 2" + 10 * " 0" + " 1 1" + 8 * " 0"
FRESH = "mor. axx. minaymoryles. kondlaisah. anchshizarie."
UNIFORM = (
    "wwjieqrrlvhtwogbqtwrmcjpnvrkifgnsgfvp. kynsszpvqzmmwpogyzdhpfapyhlqdxcvczntn. . . rxnsmepegjipknhbzrrz. "
    "kgkznqqzsdaacfanvedfjga. ycgfsirvvmcrvssnqjbjuqfzanulmxxkseuktjmbhn. x. wsuzuxkneqmel. "
    "qrbcskqqopeqbkuidxrnmyyfvysdxvfwix."
)
RIGHT = "ele. zelensskan. a. ilelena. arah. lizanolbraris. sil. kyliketo. asonnngaeyja. an."
WRONG = (
    "cishwambitzuruvefaum. ajorun. xilinnophajorovebrglmivoublicckyle. joyquwasooxxentomprtyuquviequzaq. "
    "juxtrcoxluckyjayspttycelllwyddstotyphaxxxwecquxzikoququzynikoposylixxuffruedrkowh. ju. "
    "ixxxisrielyavrhmidexytzrohauxiexxxxxxzurefffaigtzuzzantallyojoxxxt. oprghah. stzldouwinolyselppp. j."
)
SAME_BUT_TWO = "cexze. momasurailezitynn. konimittain. llayn. ka."
PROBS_16 = "0478 0377 0253 3899 1960 0123 0780 1777 0152 3541 1381 1960 1377 0246 2495 1960"
LOGS_16 = (
    "3.0408 3.2793 3.6772 0.9418 1.6299 4.3982 2.5508 1.7278 4.1867 1.0383 1.9796 1.6299 1.9829 3.7045 1.3882 1.6299"
)
NINE = [-1.9829, -1.8296, -5.2518, -3.4157, -4.1669, -1.2220, -3.7045, -math.inf, -2.5551]
NINE_SMOOTHED = [-1.9835, -1.8302, -5.2429, -3.4146, -4.1529, -1.2251, -3.7041, -7.8633, -2.5572]
EMMA_NLLS = [4.3992743492126465, 4.014570713043213, 3.623408794403076, 2.6080667972564697, 4.2012038230896]
LATER_NLLS = [4.463550567626953, 3.7830779552459717, 3.181223154067993, 4.320408821105957, 2.9221813678741455]
TEN_LOSSES = [3.7693, 3.7492, 3.7292, 3.7092, 3.6892, 3.6693, 3.6494, 3.6296, 3.6098, 3.5900]


def numbers(text):
    return np.array(text.split(), float)


def nlls(at, W):
    """The nll of the five examples of emma."""
    return -np.log(np.asarray(at.probs_of(W))[np.arange(5), np.asarray(at.ys_emma)])


def finite(logs):
    """-inf as -99, so that differences can be taken."""
    return np.maximum(np.asarray(logs, float), -99)


def logs_of(at, word, P):
    with np.errstate(divide="ignore"):
        return finite(np.log(np.asarray(at.pair_probs(word, P))))


def texts(items):
    return " ".join(str(item) for item in items)


COUNTS = [
    lecture("words", 32_033, lambda at: len(at.words)),
    lecture("ten first words", "emma ... evelyn", lambda at: f"{at.words[0]} ... {at.words[9]}"),
    lecture("shortest and longest", "2, 15", lambda at: f"{min(map(len, at.words))}, {max(map(len, at.words))}"),
    own("different words", 29_494, lambda at: at.different),
    lecture("facts in isabella", 9, lambda at: len(at.facts), names=False),
    lecture("pairs of emma", 5, lambda at: len(at.pairs_of("emma")), names=False),
    lecture("pairs of three words", 16, lambda at: sum(at.tally_of_three.values())),
    lecture("pairs of all words", 228_146, lambda at: len(at.pairs)),
    lecture("three words: a ends", 3, lambda at: at.tally_of_three["a", "<E>"]),
    lecture("three words: other pairs", "13 x 1", lambda at: f"{list(at.tally_of_three.values()).count(1)} x 1"),
    lecture("ten most frequent", FREQUENT, lambda at: texts(f"{a}{b} {n}" for (a, b), n in at.by_count[:10])),
    lecture("qr, dz", "1, 1", lambda at: f"{at.tally['q', 'r']}, {at.tally['d', 'z']}"),
    own("different pairs", 627, lambda at: len(at.tally)),
    own("pairs that occur once", 43, lambda at: list(at.tally.values()).count(1)),
    own("pairs after a", 33_885, lambda at: at.after_a),
    lecture("array of zeros", "(3, 5) int32", lambda at: f"{at.a.shape} {at.a.dtype}", names=False),
    lecture("entry [1, 3]", "1, 2, 3", lambda at: f"{at.a1[1, 3]}, {at.a2[1, 3]}, {at.a3[1, 3]}", names=False),
    lecture("entry [0, 0]", 5, lambda at: int(at.a3[0, 0]), names=False),
    lecture("letters", 26, lambda at: len(at.letters)),
    lecture("a, z, <S>, <E>", "0 25 26 27", lambda at: texts(at.stoi28[token] for token in ("a", "z", "<S>", "<E>"))),
    lecture("28 x 28 table, a to j", PRINTED["printed_N28_10x10"], lambda at: at.N28[:10, :10]),
    lecture("row <E>, column <S>, corner", "0 0 0", lambda at: texts(at.zeros)),
    lecture("numbers of ., a, z", "0 1 26", lambda at: texts(at.stoi[char] for char in ".az")),
    own("sum of the 27 x 27 table", 228_146, lambda at: int(at.N.sum())),
    lecture("dot after dot", 0, lambda at: int(at.N[0, 0])),
    lecture("row 0: first letters", PRINTED["printed_N_row0"], lambda at: at.N[0]),
    own("sum of row 0", 32_033, lambda at: int(at.N[0].sum())),
]

SAMPLING = [
    lecture("row 0 as probabilities", PRINTED["printed_P_row0"], lambda at: at.p, 5.1e-5),
    lecture("three random numbers", [0.7081, 0.3542, 0.1054], lambda at: at.three, 5.1e-5, names=False),
    lecture("their sum", 1.1678, lambda at: float(at.three.sum()), 5.1e-5, names=False),
    lecture("normalised", [0.6064, 0.3033, 0.0903], lambda at: at.q, 5.1e-5, names=False),
    lecture("20 draws, by the pieces", numbers(TWENTY), lambda at: at.by_pieces, names=False),
    lecture("20 draws", numbers(TWENTY), lambda at: at.twenty, names=False),
    lecture("50 draws", numbers(FIFTY), lambda at: at.fifty, names=False),
    lecture("shares of 20", [0.45, 0.45, 0.1], lambda at: at.shares(at.twenty), 1e-9, names=False),
    lecture("shares of 50", [0.64, 0.32, 0.04], lambda at: at.shares(at.fifty), 1e-9, names=False),
    lecture("first letter, fresh generator", "13 m", lambda at: f"{at.fresh} {at.itos[at.fresh]}"),
    lecture("first letter, used generator", "19 s", lambda at: f"{at.used} {at.itos[at.used]}"),
    lecture("names that begin with m", 2538, lambda at: int(at.N[0, at.m_])),
    lecture("m ends a name", 516, lambda at: int(at.N[at.m_, 0])),
    own("ma, mb", "2590, 112", lambda at: f"{at.N[at.m_, at.stoi['a']]}, {at.N[at.m_, at.stoi['b']]}"),
    lecture("ten names", "blon. ke. a. ry. l. balycaweriginnn. data. bh. matt. jeeve.",
            lambda at: texts(at.lecture_names)),
    lecture("five names, fresh generator", FRESH, lambda at: texts(at.fresh_names[:5])),
    lecture("a whole name", "h.", lambda at: at.fresh_names[7]),
    own("the other five", "odaren. iaddash. h. jhinatien. egushl.", lambda at: texts(at.fresh_names[5:])),
    lecture("names of the uniform model", UNIFORM, lambda at: texts(at.uniform_names)),
]  # fmt: skip

BROADCASTING = [
    lecture("shapes of the sums", "(1, 27) (27, 1) (27,) (27,)", lambda at: texts(
        [at.N.sum(0, keepdims=True).shape, at.N.sum(1, keepdims=True).shape, at.N.sum(0).shape, at.N.sum(1).shape])),
    lecture("row sums = column sums", "True", lambda at: str(bool((at.N.sum(0) == at.N.sum(1)).all())), names=False),
    lecture("sum of row 0, right", 1.0, lambda at: float(at.P[0].sum()), 1e-6),
    lecture("sum of row 0, wrong", 7, lambda at: round(float(at.wrong[0].sum()))),
    own("the same", 7.0225, lambda at: float(at.wrong[0].sum()), 5e-4),
    lecture("sum of column 0, wrong", 1.0, lambda at: float(at.wrong[:, 0].sum()), 1e-6),
    lecture("right = wrong", "False", lambda at: str(bool((at.wrong == at.P).all()))),
    lecture("names of the right table", RIGHT, lambda at: texts(at.right_names)),
    lecture("names of the wrong table", WRONG, lambda at: texts(at.wrong_names)),
]  # fmt: skip

LIKELIHOOD = [
    lecture("16 probabilities", numbers(PROBS_16) / 1e4, lambda at: at.three_words, 5.1e-5),
    lecture("16 logs", -numbers(LOGS_16), lambda at: np.log(at.three_words), 5.1e-5),
    lecture("log likelihood of three words", -38.7856, lambda at: at.log_likelihood, 5.1e-5),
    own("likelihood of three words", 1.43e-17, lambda at: at.likelihood, 5e-20),
    own("average nll of three words", 2.4241, lambda at: -at.log_likelihood / 16, 5.1e-5),
    lecture("1/27", 0.037037037037037035, lambda at: 1 / 27, names=False),
    lecture("average nll of all words", 2.45, lambda at: round(float(at.all_nll), 2), 1e-6),
    lecture("added one by one in float32", 2.4541, lambda at: float(at.added / len(at.xs)), 5.1e-5),
    own("the mean in float32", 2.4540, lambda at: float(at.all_nll), 5.1e-5),
    own("the mean in float64", 2.4540145, lambda at: at.exact, 5e-7),
    own("its standard error", 0.0018, lambda at: at.found.stderr, 5.1e-5),
    own("ln 27", 3.2958, lambda at: math.log(27), 5.1e-5, names=False),
    lecture("anubhav", 3.1186, lambda at: at.average_nll("anubhav", at.P), 5.1e-5),
    lecture("andrej (about 3)", 3, lambda at: round(at.average_nll("andrej", at.P))),
    own("andrej", 3.0391, lambda at: at.average_nll("andrej", at.P), 5.1e-5),
    own("andre", 2.2135, lambda at: at.average_nll("andre", at.P), 5.1e-5),
    own("ej: count", 55, lambda at: int(at.N[at.e_, at.j_])),
    own("ej: probability, log", [0.0027, -5.9171],
        lambda at: [float(at.P[at.e_, at.j_]), float(np.log(at.P[at.e_, at.j_]))], 5.1e-5),
    lecture("anubhavm", math.inf, lambda at: at.average_nll("anubhavm", at.P)),
    lecture("its nine logs (vm is -inf)", finite(NINE), lambda at: logs_of(at, "anubhavm", at.P), 5.1e-5),
    lecture("andrejq", math.inf, lambda at: at.average_nll("andrejq", at.P)),
    own("cells that are zero", 102, lambda at: int((at.N == 0).sum())),
    lecture("anubhavm, smoothed by 1", 3.5526, lambda at: at.average_nll("anubhavm", at.P1), 5.1e-5),
    lecture("its nine logs, smoothed", NINE_SMOOTHED, lambda at: logs_of(at, "anubhavm", at.P1), 5.1e-5),
    own("jq smoothed by 1, log", -7.9817, lambda at: float(np.log(at.P1[at.j_, at.q_])), 5.1e-5),
    lecture("five names, smoothed by 1", FRESH, lambda at: texts(at.names_1)),
    own("price of smoothing, seven", [2.4540, 2.4546, 2.4577, 2.4621, 2.5375, 2.8523, 3.2946],
        lambda at: list(at.price.values()), 6e-5),
    lost("smoothed by 1 (a slip, not drawn)", "2.47", lambda at: f"{at.price[1]:.4f}"),
]  # fmt: skip

NETWORK = [
    lecture("inputs of emma", "0 5 13 13 1", lambda at: texts(at.xs_emma)),
    lecture("targets of emma", "5 13 13 1 0", lambda at: texts(at.ys_emma)),
    lecture("one-hot rows", "(5, 27) float32", lambda at: f"{at.xenc.shape} {at.xenc.dtype}"),
    lecture("their ones", "0 5 13 13 1", lambda at: texts(at.xenc.argmax(1))),
    lecture("one neuron on emma", [-1.0414, 0.8326, 0.6154, 0.6154, -0.4622],
            lambda at: at.one_neuron[:, 0], 5.1e-5),
    lecture("entry [3, 13] by its column", 0.2123, lambda at: at.by_column, 5.1e-5),
    own("entry [3, 13] of ours", 0.0379, lambda at: float((at.xenc @ at.W_start)[3, 13]), 5.1e-5),
    own("the same, row times column", 0.0379, lambda at: float(at.xenc[3] @ at.W_start[:, 13]), 5.1e-5),
    lecture("exp of the printed logits", PRINTED["printed_counts_5x27"],
            lambda at: np.exp(at.printed["printed_logits_5x27"]), 5e-4, names=False),
    lecture("shape of the probabilities", "(5, 27)", lambda at: str(at.probs.shape)),
    lecture("row 0 sums to", 1.0, lambda at: float(at.probs[0].sum()), 1e-6, names=False),
    lecture("nll of the five examples", EMMA_NLLS, lambda at: at.nlls, 5e-6),
    lecture("loss on emma", 3.7693049907684326, lambda at: float(at.nlls.mean()), 5e-6),
    lecture("5 x 27 probabilities", PRINTED["printed_probs_5x27"], lambda at: at.probs, 5.1e-5),
    lecture("the same, used generator", PRINTED["printed_later_probs_5x27"],
            lambda at: at.probs_of(at.W_later), 5.1e-5),
    lecture("its five nll", LATER_NLLS, lambda at: nlls(at, at.W_later), 5e-6),
    lecture("its loss", 3.734088182449341, lambda at: float(nlls(at, at.W_later).mean()), 5e-6),
    lecture("loss, generator 2147483648", 3.37, lambda at: math.floor(100 * nlls(at, at.W_lucky).mean()) / 100, 1e-6),
    own("the same", 3.3771, lambda at: float(nlls(at, at.W_lucky).mean()), 5.1e-5),
    lost("losses of three other W", "3.5861, 3.2332, 3.2426"),
    lecture("the five places", "[0, 5] [1, 13] [2, 13] [3, 1] [4, 0]",
            lambda at: texts([i, int(y)] for i, y in enumerate(at.ys_emma))),
    lecture("loss in one line", 3.7693049907684326, lambda at: float(at.loss_emma), 5e-6),
    lecture("shape of the gradient", "(27, 27)", lambda at: str(at.gradient_emma.shape)),
    own("gradient at [0, 0]", 0.01213, lambda at: float(at.gradient_emma[0, 0]), 1e-5),
    own("the same by two nudges", 0.01214, lambda at: float(at.up - at.down) / 0.02, 2e-5),
    own("gradient at [0, 5]", -0.1975, lambda at: float(at.gradient_emma[0, 5]), 5.1e-5),
    lecture("printed row 0: negative at", "[5]",
            lambda at: str(np.flatnonzero(at.printed["printed_gradient_row0"] < 0)), names=False),
    own("emma: losses of ten steps", TEN_LOSSES, lambda at: at.emma_losses, 6e-5),
    lecture("emma: losses of three steps", [3.7693049907684326, 3.7492129802703857, 3.7291626930236816],
            lambda at: at.emma_losses[:3], 5e-6),
    own("emma: losses of fit", TEN_LOSSES, lambda at: at.by_fit.loss, 6e-5),
    lost("three steps from another W", "4.3984 4.3766 4.3549",
         lambda at: texts(f"{value:.4f}" for value in at.emma_losses[:3])),
]  # fmt: skip


def after_10_and_100(rate):
    return lambda at: at.rates[rate][[9, 99]]


ALL_WORDS = [
    own("loss before step 0", 3.7590, lambda at: float(at.rates[0.1][0]), 6e-5),
    own("five steps from the examples", [3.7590, 3.3711, 3.1540, 3.0204, 2.9277], lambda at: at.by_examples, 6e-5),
    own("five steps from the counts", [3.7590, 3.3711, 3.1540, 3.0204, 2.9277], lambda at: at.five, 6e-5),
    own("rate 0.1, steps 9, 99", [3.7508, 3.6733], after_10_and_100(0.1), 6e-5),
    own("rate 1, steps 9, 99", [3.6806, 3.1887], after_10_and_100(1.0), 6e-5),
    own("rate 10, steps 9, 99", [3.2154, 2.5764], after_10_and_100(10.0), 6e-5),
    own("rate 50, steps 9, 99", [2.7115, 2.4729], after_10_and_100(50.0), 6e-5),
    own("rate 100, steps 9, 99", [2.6075, 2.4863], after_10_and_100(100.0), 6e-5),
    lost("ten steps at rate 1", "3.7543 ... 3.6840", lambda at: f"{at.rates[1][0]:.4f} ... {at.rates[1][9]:.4f}"),
    lost("ten steps at rate 10", "3.7679 ... 3.2681", lambda at: f"{at.rates[10][0]:.4f} ... {at.rates[10][9]:.4f}"),
    lost("ten steps at rate 100", "3.8536 ... 2.6044", lambda at: f"{at.rates[100][0]:.4f} ... {at.rates[100][9]:.4f}"),
    lost("100 steps at rate 10", "3.9659 ... 2.5698", lambda at: f"{at.rates[10][0]:.4f} ... {at.rates[10][99]:.4f}"),
    lecture("100 losses, rate 50, penalty", PRINTED["printed_losses_100"], lambda at: at.losses, 1e-4),
    lecture("first and last", [3.7686, 2.4901], lambda at: at.losses[[0, 99]], 5.1e-5),
    own("the last one, no penalty", 2.4750, lambda at: at.data_part, 6e-5),
    lecture("before step 99", 2.47, lambda at: round(float(at.long[99]), 2), 1e-6),
    lecture("before step 199", 2.46, lambda at: round(float(at.long[199]), 2), 1e-6),
    lecture("later still", 2.45, lambda at: round(float(at.long[2999]), 2), 1e-6),
    own("steps 99, 199, 399", [2.4729, 2.4624, 2.4578], lambda at: at.long[[99, 199, 399]], 2e-4),
    own("steps 999, 2,999", [2.4554, 2.4544], lambda at: at.long[[999, 2999]], 6e-5),
]

JAX = [
    own("operations of the jaxpr, outer", 8, lambda at: len(at.jaxpr.eqns), names=False),
    own("gradient by the formula", 0, lambda at: float(np.abs(at.formula - at.gradient_N).max()), 1e-7, names=False),
    own("27 row losses, averaged", 3.7590, lambda at: float(at.row_losses.sum() / at.N.sum()), 6e-5),
    own("losses of six starts", [3.2958, 3.2957, 3.2988, 3.4095, 3.7590, 4.9777], lambda at: at.of_starts, 1e-4),
    own("emma: losses of the scan", TEN_LOSSES, lambda at: at.by_scan, 6e-5),
    own("five rates at once, step 99", [3.6733, 3.1887, 2.5764, 2.4729, 2.4863], lambda at: at.at_once[:5, 99], 1e-4),
]

SAME_MODEL = [
    lecture("xenc @ W = W[xs]", "True",
            lambda at: str(bool((at.xenc @ at.W_start == at.W_start[at.xs_emma]).all())), names=False),
    own("loss by index", 3.7693049907684326, lambda at: float(at.value_index), 5e-6),
    own("P(u after q), counted", 0.7574, lambda at: float(at.P[at.q_, at.u_]), 5.1e-5),
    own("P(u after q), trained", 0.3548, lambda at: float(at.learned[at.q_, at.u_]), 6e-5),
    own("loss at W = 0", 3.2958, lambda at: float(at.loss(at.zero, at.xs_emma, at.ys_emma)), 5.1e-5),
    lecture("probability at W = 0", 1 / 27, lambda at: float(at.probs_of(at.zero)[0, 0]), 1e-7),
    own("row 0, a million fake counts", [0.03699, 0.03716], lambda at: [at.million.min(), at.million.max()], 1e-5),
    own("mean of W squared, start", 0.9665, lambda at: float((at.W_start**2).mean()), 5.1e-5),
    lost("the same of another W", "0.9617", lambda at: f"{(at.W_start**2).mean():.4f}"),
    lecture("penalised loss, start", 3.7686, lambda at: float(at.penalised_loss(at.W_start, at.N, 0.01)), 6e-5),
    own("penalties 0 to 10, converged", [2.4541, 2.4604, 2.5033, 2.7213, 3.1314],
        lambda at: list(at.converged.values()), 1.1e-4),
    lost("strength 0.1", "2.6531", lambda at: f"{at.strengths[0.1]:.4f}"),
    lost("strength 1", "2.8925", lambda at: f"{at.strengths[1.0]:.4f}"),
    lost("strength 0.001", "2.5767", lambda at: f"{at.strengths[0.001]:.4f}"),
    lost("strength 0.0001", "2.5635", lambda at: f"{at.strengths[0.0001]:.4f}"),
    own("four strengths on all pairs", [2.6518, 2.8935, 2.5774, 2.5765],
        lambda at: list(at.strengths.values()), 6e-5),
    lecture("names of the network", "cexze. momasurailezityha. konimittain. llayn. ka.",
            lambda at: texts(at.network_names)),
    own("names of the counts", SAME_BUT_TWO, lambda at: texts(at.counts_names)),
    own("names of the counts + 1", SAME_BUT_TWO, lambda at: texts(at.names_of(lambda ix: at.N[ix] + 1))),
    own("network, numbers of section 8", "mor. axx. minaymoryles. kondmaisah. anchthizarie.",
        lambda at: texts(at.old_names)),
    own("P(h after y), two models", [0.0023, 0.0049],
        lambda at: [at.P[at.y_, at.h_], at.learned[at.y_, at.h_]], 6e-5),
    own("300 steps without penalty", SAME_BUT_TWO, lambda at: texts(at.agreed)),
    lost("names of another net", "zriwreisona. ady. myonaxrolin. ...", lambda at: texts(at.rate_10)),
    lecture("sizes of the parts", "182516 22815 22815", lambda at: texts(len(part) for part in at.parts_of.values())),
    lost("train, validation, test", "2.5629 2.5745 2.5639",
         lambda at: texts(f"{value:.4f}" for value in at.final.values())),
    own("trigram, all words", 2.1857, lambda at: at.trigram_all, 6e-5),
    own("trigram +0.001, dev", 2.2447, lambda at: at.tuned[0.001], 5.1e-5),
    own("trigram +0.1, dev", 2.2225, lambda at: at.tuned[0.1], 5.1e-5),
    own("trigram +0.2, dev", 2.2223, lambda at: at.tuned[0.2], 5.1e-5),
    own("trigram +1, dev", 2.2365, lambda at: at.tuned[1], 5.1e-5),
    own("bigram +1, dev", 2.4533, lambda at: at.bigram_dev, 5.1e-5),
]  # fmt: skip

FIGURES = [*COUNTS, *SAMPLING, *BROADCASTING, *LIKELIHOOD, *NETWORK, *ALL_WORDS, *JAX, *SAME_MODEL]
