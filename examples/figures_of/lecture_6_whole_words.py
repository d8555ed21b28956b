"""The figures of lecture_6_whole_words, in its order: no lecture prints them."""

from figures import LONG, own


def mean_of(kind):
    """The mean dev loss of three seeds; None where only one was trained."""
    return lambda at: sum(at.losses[kind]) / 3 if LONG else None


def dev(name):
    """The dev loss of a model of the ladder."""
    return lambda at: at.results[name].nll


def ends_apart(at):
    """What the MLP says after two words with the same last three characters: the difference of P(end)."""
    return at.ends(at.mlp, "bella") - at.ends(at.mlp, "isabella")


SEEN = " on 2026-11-26"
FIGURES = [
    own("MLP: P(end) after bella, isabella", 0.0, ends_apart, 1e-6, names=False),
    own("MLP: unroll less the loop", 0.0, lambda at: at.unroll_off, 1e-4, names=False),
    own("bag of words by hand", 0.0, lambda at: at.bow_off, 1e-4, names=False),
    own("a packed word less the word alone", 0.0, lambda at: at.packing_off, 1e-4, names=False),
    own("targets by share less one by one", 0.0, lambda at: at.target_off, 1e-4, names=False),
    own("RNN by hand", 0.0, lambda at: at.rnn_off, 1e-4, names=False),
    own("GRU by hand", 0.0, lambda at: at.gru_off, 1e-4, names=False),
    own("transformer by hand", 0.0, lambda at: at.transformer_off, 1e-3, names=False),
    own("attention step by hand", 0.0, lambda at: at.step_off, 1e-4, names=False),
    own("Kneser-Ney by hand", 0.0, lambda at: at.kn_off, 1e-5, names=False),
    own("RNN, 23,451 numbers, three seeds", 2.0418, mean_of(("RNN", 128)), 0.01, seen="2.0418" + SEEN),
    own("GRU, 23,643 numbers, three seeds", 2.0491, mean_of(("GRU", 72)), 0.01, seen="2.0491" + SEEN),
    own("RNN, 63,533 numbers, three seeds", 1.9959, mean_of(("RNN", 226)), 0.01, seen="1.9959" + SEEN),
    own("GRU, 63,515 numbers, three seeds", 1.9895, mean_of(("GRU", 128)), 0.01, seen="1.9895" + SEEN),
    own("dev, bigram", 2.4533, dev("bigram"), 1e-4),
    own("dev, MLP, 3 characters", 2.0944, dev("MLP, 3 characters"), 0.02),
    own("dev, bag of words", 2.0909, dev("bag of words"), 0.02),
    own("dev, RNN", 1.9961, dev("RNN"), 0.02),
    own("dev, GRU", 1.9865, dev("GRU"), 0.02),
    own("dev, transformer", 2.0432, dev("transformer"), 0.02),
    own("dev, Kneser-Ney", 1.9740, dev("Kneser-Ney, order 6"), 2e-3),
    own("entries of Kneser-Ney, of the bigram", "134297 729", lambda at: f"{at.kn_entries} {at.bigram.N.size}"),
    own("without block 2, head 1", 0.0376, lambda at: at.costs[1, 0][0], 0.03),
    own("mixture less the best of three", -0.0500, lambda at: at.mixture_gap[0], 0.01),
    own("no regularisation, dev at the end", 2.445, lambda at: at.runs["no regularisation"][-1][2], 0.05),
    own("lines, the grammar", 0.870, lambda at: at.grammar_loss, 1e-3, names=False),
    own("lines, n-gram of order 3", 1.029, lambda at: at.line_losses["n-gram of order 3"].nll, 1e-3, names=False),
    own("lines, n-gram of order 8", 0.939, lambda at: at.line_losses["n-gram of order 8"].nll, 1e-3, names=False),
    own("lines, GRU", 0.877, lambda at: at.line_losses["GRU"].nll, 0.03, names=False),
]
