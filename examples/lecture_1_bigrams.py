# %% [markdown]
# # makemore, part 1: bigrams
#
# Every step of the first lecture in its order, in JAX. Run it as a script, or cell by cell: VS Code and Jupyter (with
# jupytext) open this file as a notebook. At the end stands a table of the lecture's figures beside ours.
#
#     python examples/lecture_1_bigrams.py
#
# Figures that hang on torch's random numbers start from the numbers themselves, which are stored with the tests.

# %%
import argparse
import itertools
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
from mm_jax.report import Figures
from rich.console import Console

import mm_jax
from mm_jax import data, plotting, training

parser = argparse.ArgumentParser(description="Every step of makemore part 1, and a table of its figures.")
parser.add_argument("--steps", type=int, default=100, help="training steps on all words (default: %(default)s)")
parser.add_argument("--pictures", type=Path, help="a folder to save the pictures in (default: they are not drawn)")
args, _ = parser.parse_known_args()  # a notebook adds arguments of its own

console = Console(highlight=False)
path = data.find_words()
words = mm_jax.load_words(path)
figures = Figures(with_names=data.is_names(path))
torch_W = np.load(Path(data.__file__).parent.parent / "tests" / "torch_init_2147483647.npz")["bigram_W"]


def title(text: str) -> None:
    console.print(f"\n[bold]{text}[/bold]")


# %% [markdown]
# ## The words

# %%
title("the words")
print(f"{len(words):,} words from {path}: {', '.join(words[:10])}, ...")
figures.add("number of words", 32_033, len(words))
figures.add("shortest word", 2, min(map(len, words)))
figures.add("longest word", 15, max(map(len, words)))

# %% [markdown]
# ## Bigrams, counted with a dict
#
# A word is evidence for its first character, for each pair of neighbours, and for its last character.

# %%
title("the pairs of emma")
emma = [".", *"emma", "."]
print(*(a + b for a, b in itertools.pairwise(emma)))

tally: dict[tuple[str, str], int] = {}
for word in words:
    for pair in itertools.pairwise(["<S>", *word, "<E>"]):
        tally[pair] = tally.get(pair, 0) + 1
by_count = sorted(tally.items(), key=lambda item: -item[1])
title("the most and the least common bigrams")
print(*(f"{a}{b} {n}" for (a, b), n in by_count[:8]), sep="   ")
print(*(f"{a}{b} {n}" for (a, b), n in by_count[-8:]), sep="   ")
figures.add("most common bigram: n at the end", 6763, tally[("n", "<E>")])
figures.add("then a at the end", 6640, tally[("a", "<E>")])
figures.add("then an", 5438, tally[("a", "n")])
figures.add("a at the start", 4410, tally[("<S>", "a")])

# %% [markdown]
# ## A table of 28 x 28, and why one `.` is better
#
# With `<S>` and `<E>` as tokens of their own nothing comes before a start, and nothing after an end: one column and one
# row of the table stay empty. One token for both ends wastes neither.

# %%
letters = sorted(set("".join(words)))
tokens = {token: i for i, token in enumerate([*letters, "<S>", "<E>"])}
N28 = np.zeros((len(tokens), len(tokens)), int)
for (a, b), n in tally.items():
    N28[tokens[a], tokens[b]] = n
title("the table with a start and an end token")
print(f"{N28.shape[0]} x {N28.shape[1]}; column <S> sums to {N28[:, -2].sum()}, row <E> to {N28[-1].sum()}")
figures.add("table with <S> and <E>", "28 x 28", f"{N28.shape[0]} x {N28.shape[1]}")
figures.add("its empty row and column", "0, 0", f"{N28[-1].sum()}, {N28[:, -2].sum()}")

vocab = mm_jax.Vocab.from_words(words)
counts = mm_jax.counts.fit(words, vocab)
title("the table with one '.'")
print(f"{counts.N.shape[0]} x {counts.N.shape[1]}, vocabulary {vocab.chars}")
print("most common: ", *(f"{pair} {n}" for pair, n in mm_jax.counts.most_common(counts, 8)), sep="   ")
print("least common:", *(f"{pair} {n}" for pair, n in mm_jax.counts.least_common(counts, 8)), sep="   ")
figures.add("table with one '.'", "27 x 27", f"{counts.N.shape[0]} x {counts.N.shape[1]}")
figures.add("distinct bigrams", 627, int((counts.N > 0).sum()))
figures.add("bigrams", 228_146, int(counts.N.sum()))
if args.pictures:
    import matplotlib.pyplot as plt

    args.pictures.mkdir(parents=True, exist_ok=True)
    figure, ax = plt.subplots(figsize=(12, 12), layout="constrained")
    plotting.count_table(counts, ax)
    figure.savefig(args.pictures / "bigrams.png", dpi=100)

# %% [markdown]
# ## Sampling
#
# The first character comes from row 0, the next from the row of the first, until `.` comes. The lecture calls
# torch.multinomial; here a uniform number is looked up in the cumulative distribution of the row.

# %%
N = np.array(counts.N)
p = N[0] / N[0].sum()
title("the first character, from row 0")
key = jax.random.key(2147483647)
uniform = float(jax.random.uniform(key))
first = int(np.searchsorted(np.cumsum(p), uniform, side="right"))
print(f"P(first) = {', '.join(f'{c} {x:.3f}' for c, x in zip(vocab.chars[1:6], p[1:6], strict=True))}, ...")
print(f"the number {uniform:.4f} lies in the interval of '{vocab.chars[first]}'")
figures.add("P(the first character is a)", 0.1377, float(p[1]), 5e-5)

uniform_model = mm_jax.counts.from_table(np.zeros_like(N), vocab, smoothing=1.0)
title("names from the counts            names from the uniform model")
pairs = zip(mm_jax.sample(counts, jax.random.key(1)), mm_jax.sample(uniform_model, jax.random.key(1)), strict=True)
for ours, noise in pairs:
    print(f"{ours:32} {noise[:44]}")

# %% [markdown]
# ## Normalising rows, and the keepdims bug
#
# `N.sum(1)` has shape (27,), which broadcasts as a row: `N / N.sum(1)` divides column j by the sum of row j. Nothing
# complains, and the names get worse. JAX can refuse it: with `jax_numpy_rank_promotion` set to "raise" a rank is never
# promoted silently. All the tests of this project run so.

# %%
right = N / N.sum(1, keepdims=True)
wrong = N / N.sum(1)
title("keepdims")
print(f"with keepdims    row 1 sums to {right[1].sum():.4f}, column 1 to {right[:, 1].sum():.4f}")
print(f"without keepdims row 1 sums to {wrong[1].sum():.4f}, column 1 to {wrong[:, 1].sum():.4f}")
scaled = mm_jax.Bigram(W=jnp.log(jnp.asarray(wrong, jnp.float32)), vocab=vocab)
print("names of the wrong table:", *mm_jax.sample(scaled, jax.random.key(1), 6))
with jax.numpy_rank_promotion("raise"):
    try:
        print(counts.N / counts.N.sum(1))
        refused = "no"
    except ValueError as error:
        refused = "yes"
        print(f"with rank promotion refused: {str(error).split(' and with')[0]}")
figures.add("sum of a row, right", 1.0, float(right[1].sum()), 1e-6)
figures.add("refused with jax_numpy_rank_promotion='raise'", "yes", refused, needs_names=False)

# %% [markdown]
# ## Likelihood
#
# The likelihood of the words is the product of the probabilities of their bigrams; its logarithm is a sum; the loss is
# minus that, per bigram: lower is better.

# %%
title("the first three words, bigram by bigram")
log_likelihood, n = 0.0, 0
for word in words[:3]:
    for a, b in itertools.pairwise([0, *vocab.encode(word), 0]):
        print(f"{vocab.chars[a]}{vocab.chars[b]} {right[a, b]:.4f} {np.log(right[a, b]):.4f}")
        log_likelihood += np.log(right[a, b])
        n += 1
print(f"likelihood {np.exp(log_likelihood):.3g}, its log {log_likelihood:.4f}, nll a bigram {-log_likelihood / n:.4f}")
figures.add("log likelihood of the first three words", -38.7856, float(log_likelihood), 5e-5)
figures.add("nll of the first three words", 2.4241, float(-log_likelihood / n), 5e-5)

everything = mm_jax.evaluate(counts, words)
title("the quality of the model on all words")
print(f"{everything.nll:.5f} +- {everything.stderr:.5f} nats per character")
figures.add("nll of all words", 2.4540, everything.nll, 1e-4)

title("andrej and andrejq")
smoothed = mm_jax.counts.fit(words, vocab, smoothing=1.0)
print(mm_jax.score(counts, "andrej"))
print(mm_jax.score(counts, "andrejq"))
print(f"with one fake count everywhere, andrejq: {mm_jax.score(smoothed, 'andrejq').mean:.4f} nats per character")
figures.add("nll of andrejq", float("inf"), mm_jax.score(counts, "andrejq").nll)
figures.add("nll of andrejq, smoothed by 1", 3.4834, mm_jax.score(smoothed, "andrejq").mean, 5e-5)
figures.add("nll of all words, smoothed by 1", 2.4546, mm_jax.evaluate(smoothed, words).nll, 1e-4)

# %% [markdown]
# ## The same model as a neural network
#
# Inputs and targets are token ids. One neuron is a weight for each entry of a one-hot row; 27 neurons are the columns
# of W. Their outputs are taken for log counts: exponentiated they are "counts", and normalised probabilities (softmax).

# %%
letters27 = mm_jax.Vocab(".abcdefghijklmnopqrstuvwxyz")
X, Y = data.contexts(["emma"], letters27, 1)
title("the five examples of emma")
print("inputs ", *X[:, 0], "  targets", *Y)
figures.add("inputs of emma", "0 5 13 13 1", " ".join(map(str, X[:, 0])), needs_names=False)

x_onehot = jax.nn.one_hot(X[:, 0], 27)
W = jnp.asarray(torch_W)
print(f"one-hot {x_onehot.shape}; one neuron {(x_onehot @ W[:, :1]).shape}; 27 neurons {(x_onehot @ W).shape}")
logits = x_onehot @ W
pseudo_counts = jnp.exp(logits)
probabilities = pseudo_counts / pseudo_counts.sum(1, keepdims=True)
assert jnp.allclose(probabilities, jax.nn.softmax(logits, axis=1))
print(f"a row of probabilities sums to {probabilities[0].sum():.4f}")

expected = [4.39927, 4.0146, 3.6234, 2.6081, 4.2012]
for i, (x, y) in enumerate(zip(X[:, 0], Y, strict=True)):
    prob = float(probabilities[i, y])
    print(f"example {i + 1}: {letters27.chars[x]}{letters27.chars[y]}  p {prob:.4f}  nll {-np.log(prob):.4f}")
    figures.add(f"nll of example {i + 1} of emma", expected[i], -float(np.log(prob)), 5e-5, needs_names=False)

# %% [markdown]
# ## Gradient descent
#
# `jax.grad` gives the gradient of the loss; the parameters step against it. The lecture's first losses, at rate 0.1:

# %%
title("three steps on emma, learning rate 0.1")
start = mm_jax.Bigram(W=W, vocab=letters27)
gradient = jax.grad(training.loss)(start, jnp.asarray(X), jax.nn.one_hot(Y, 27) / len(Y))
print(f"gradient of W[0, 0]: {gradient.W[0, 0]:.4f} (positive: a larger weight makes the loss larger)")
figures.add("gradient of W[0, 0]", 0.0121, float(gradient.W[0, 0]), 5e-5, needs_names=False)
fit = {"batch_size": None, "learning_rate": 0.1}
_, history = mm_jax.fit(start, ["emma"], jax.random.key(0), steps=3, **fit)
print(*(f"{loss:.4f}" for loss in history.loss))
for step, (lecture, ours) in enumerate(zip([3.7693, 3.7492, 3.7292], history.loss.tolist(), strict=True)):
    figures.add(f"loss on emma after {step} steps", lecture, ours, 5e-5, needs_names=False)

# %% [markdown]
# ## All the words
#
# The lecture multiplies 228,146 one-hot rows with W. Row i of the product is just row X[i] of W, so the loss is a sum
# over the 27 x 27 table of counts: the same loss and gradient, thousands of times sooner (`batches.Everything`).

# %%
title("x_onehot @ W is a row of W")
print("the product and the rows are equal:", bool((x_onehot @ W == W[X[:, 0]]).all()))

title(f"{args.steps} steps on all words, learning rate 50, penalty 0.01 mean(W^2)")
all_start = mm_jax.Bigram(W=W, vocab=vocab) if len(vocab) == 27 else mm_jax.bigram.init(jax.random.key(0), vocab)
trained, history = mm_jax.fit(
    all_start, words, jax.random.key(0), steps=args.steps, batch_size=None, learning_rate=50.0, l2=0.01
)
for step in (0, 1, 10, 50, args.steps - 1):
    if step < args.steps:
        print(f"step {step:3}: {history.loss[step]:.4f}")
figures.add("loss on all words at step 0", 3.7686, float(history.loss[0]), 5e-5)
if args.steps == 100:
    figures.add("loss on all words at step 99", 2.4901, float(history.loss[99]), 5e-5)
else:
    figures.note("loss on all words at step 99", "2.4901", "needs --steps 100")

# %% [markdown]
# ## Regularisation is smoothing
#
# With W = 0 every logit is equal and the model uniform, as when fake counts outweigh the real ones. A penalty on W
# pulls towards that: the stronger it is, the nearer the rows come to uniform, as with more fake counts.

# %%
title("nll of all words: fake counts, and the penalty")
for fake in (0, 1, 10, 100, 1000, 100_000):
    print(f"{fake:>7} fake counts  {mm_jax.evaluate(mm_jax.counts.fit(words, vocab, smoothing=fake), words).nll:.4f}")
spreads = []
for l2 in (0.0, 0.01, 0.1, 1.0, 10.0):
    rate = 50.0 / (1 + 10 * l2)  # a strong penalty is stiff
    model, _ = mm_jax.fit(all_start, words, jax.random.key(0), steps=100, batch_size=None, learning_rate=rate, l2=l2)
    rows = jax.nn.softmax(model.W, axis=1)
    spreads.append(float(jnp.abs(rows - 1 / len(vocab)).sum(1).mean()))
    print(f"penalty {l2:<5}  nll {mm_jax.evaluate(model, words).nll:.4f}, rows {spreads[-1]:.3f} from uniform")
print(f"uniform limit: ln {len(vocab)} = {np.log(len(vocab)):.4f}")
limit = mm_jax.evaluate(uniform_model, words).nll
figures.add("the uniform limit, ln 27", 3.2958, limit, 5e-5)
figures.add("a larger penalty is nearer to uniform", "yes", "yes" if spreads == sorted(spreads)[::-1] else "no")

# %% [markdown]
# ## The same names from both models
#
# A W taken from the counts in closed form is the count model; with one key both print the same names.

# %%
title("counts                 W from the counts      W trained")
closed = mm_jax.bigram.from_counts(counts)
columns = [mm_jax.sample(model, jax.random.key(2147483647), 10) for model in (counts, closed, trained)]
for row in zip(*columns, strict=True):
    print("{:22} {:22} {}".format(*row))
figures.add("same names from counts and from W", "yes", "yes" if columns[0] == columns[1] else "no", needs_names=False)

# %% [markdown]
# ## 80/10/10, by example and by word
#
# Splitting the examples at random, as the exercises suggest, puts characters of one word on both sides: the dev set
# holds pieces of words that were learned. Splitting the words keeps each word whole. (A bigram hardly notices; a model
# that can spell whole words does.)

# %%
title("80/10/10 by example, and by word")
stream_X, stream_Y = data.contexts(words, vocab, 1)
order = np.random.default_rng(0).permutation(len(stream_Y))
cut = int(0.8 * len(order))
table = np.zeros((len(vocab), len(vocab)), int)
np.add.at(table, (stream_X[order[:cut], 0], stream_Y[order[:cut]]), 1)
P = (table + 1) / (table + 1).sum(1, keepdims=True)
held_out = order[int(0.9 * len(order)) :]
by_example = -np.log(P[stream_X[held_out, 0], stream_Y[held_out]]).mean()
word_of = np.repeat(np.arange(len(words)), [len(word) + 1 for word in words])
shared = np.isin(word_of[held_out], word_of[order[:cut]]).mean()
split = mm_jax.split_words(words)
by_word = mm_jax.evaluate(mm_jax.counts.fit(split.train, vocab, smoothing=1.0), split.test)
print(f"by example: test {by_example:.4f}; {shared:.1%} of the test examples are from a word with training examples")
print(f"by word:    test {by_word.nll:.4f} +- {by_word.stderr:.4f}; none are, but for words that the list repeats")

# %%
console.print("\n", figures.table, sep="")
if figures.failed:
    raise SystemExit("figures outside their tolerance: " + "; ".join(figures.failed))
