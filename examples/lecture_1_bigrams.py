# %% [markdown]
# # makemore, part 1: bigrams
#
# Every step of the [first lecture](https://www.youtube.com/watch?v=PaCmpygFfXo), in its order, in JAX. After it you can
#
# - count pairs of characters in an array, and sample names from the counts;
# - score a model with one number, the average negative log likelihood;
# - find the broadcasting bug that raises no error;
# - reach the same model by gradient descent on a one-layer network;
# - read a jaxpr, and use `grad`, `jit`, `vmap`, `scan`, pytrees and random keys.
#
# Next: [part 2, the MLP](lecture_2_mlp.ipynb). Before it: micrograd, the
# [lecture on backpropagation](https://www.youtube.com/watch?v=VMj-3S1tku0); it helps and is not needed.
# [open in Colab](https://colab.research.google.com/github/mm-jax/mm_jax/blob/main/examples/lecture_1_bigrams.ipynb)
#
# | count | a network, on one word | all words, and what follows |
# |--|--|--|
# | 1 The words | 13 The same model as a neural network | 21 All words |
# | 2 Pairs | 14 One-hot | 22 **JAX in ten minutes** |
# | 3 Counting with a dictionary | 15 Neurons, and the matrix product | 23 One-hot times W is a row of W |
# | 4 Arrays, and the table of 28 x 28 | 16 Softmax | 24 Regularisation |
# | 5 Pictures of the table | 17 Example by example | 25 Names from the network |
# | 6 One token, the dot | 18 The loss in one line | 26 Why both are the same model |
# | 7 Sampling from a distribution | 19 The gradient | 27 Splits, and the lecture's exercises |
# | 8 The sampling loop | 20 Update steps | 28 What we have |
# | 9 Broadcasting, the keepdims bug | | |
# | 10 Likelihood | | |
# | 11 A word's own score | | |
# | 12 Infinite loss, and smoothing | | |
#
# All cells together take about a minute, most of it compiling; none takes longer than ten seconds. Reading takes two
# hours.
#
# - **Read it** here: all outputs and pictures are on the page. **Run it**: `pip install -e '.[notebooks]'`, then
#   `jupyter lab` and open it in its folder, `examples`.
# - **The words** are those of `names.txt` if it is found or can be downloaded, otherwise given names that come with
#   mm_jax. Any list in which the letters a to z occur will do; particular counts and losses hold for `names.txt`.
# - **The figures**: the last cell compares all of them with the lecture's. If you change something, it says what
#   changed.
# - **Random numbers**: the lecture draws them with torch, from a generator started at 2147483647. `torch_random.py`
#   repeats that generator in NumPy, so its names and losses are recomputed here. Our own draws use JAX's keys.

# %%
# On Colab, or away from the project's folder: fetches it, and works in its examples.
import importlib.util
import os

if not importlib.util.find_spec("figures"):
    os.system("git clone -q --depth 1 https://github.com/mm-jax/mm_jax && pip install -q './mm_jax[notebooks]'")
    os.chdir("mm_jax/examples")

# %%
import functools
import math
import textwrap
import time
from collections import Counter

import figures
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle
from torch_random import TorchGenerator

import mm_jax
from mm_jax import plotting
from mm_jax.words import find_words

plt.rcParams.update({"figure.dpi": 90, "figure.constrained_layout.use": True})
np.set_printoptions(precision=4, suppress=True, linewidth=84)
jax.config.update("jax_pprint_use_color", False)  # of a jaxpr, which section 22 prints
printed = figures.stored()  # what the lecture prints at length

# %% [markdown]
# ## 1. The words
#
# Looking for a name for a baby? The lecture's list has 32,033 of them, gathered from a government website, and
# makemore makes more: one example a line goes in, and it learns to write lines like them. *dontel*, *irot* and
# *zhendi* are names that a bigger network of the lecture invented; they are not in the list.
#
# It is a *character-level* model. Each line is one example, and an example is a sequence of characters: *Reese* is
# R, e, e, s, e. The model learns one thing: which character comes next.
#
# The road: this notebook takes the simplest model, the bigram. Part 2 is the multi-layer perceptron (MLP), and
# [`lecture_6_whole_words`](lecture_6_whole_words.ipynb) goes on to bag of words, RNN, GRU and transformer - the kind of
# network that GPT-2 is. The same idea then carries from characters to words, documents, and images with text.
#
# Read the file whole, split it into lines: a list of strings. They look sorted by frequency, common names first.

# %%
path = find_words()
words = path.read_text(encoding="utf-8").splitlines()
words[:10]

# %% [markdown]
# From here on the package does this (and drops blank lines, whatever the line ends are):

# %%
print(words == mm_jax.load_words())

# %%
len(words), min(len(word) for word in words), max(len(word) for word in words)

# %% [markdown]
# The shortest word has 2 characters, the longest 15. The list repeats itself: some names stand there twice, as names of
# girls and of boys.

# %%
different = len(set(words))
different

# %% [markdown]
# One word holds many examples. *isabella* says: i is a likely first character; s is likely after i; a after is; b after
# isa; and so on; and after isabella the word is likely to end. Eight letters, nine facts.

# %%
word = "isabella"
facts = [(word[:i], (word + ".")[i]) for i in range(len(word) + 1)]
for seen, following in facts:
    print(f"{seen or '(start)':>9} -> {following.replace('.', '(end)')}")

# %% [markdown]
# The **bigram model** looks at one character only, the one just before, and forgets everything earlier. It is a weak
# model. It is also one that can be understood completely, which makes it a good start.
#
# ## 2. Pairs
#
# `zip(word, word[1:])` pairs a word with itself shifted by one place. The two are of different length: `zip` stops
# where the shorter one ends.

# %%
word = "emma"
for first, second in zip(word, word[1:]):
    print(first, second)

# %% [markdown]
# Two facts are missing: e is the first letter, a the last. A start token and an end token around the word add them.


# %%
def pairs_of(word):
    tokens = ["<S>", *word, "<E>"]
    return list(zip(tokens, tokens[1:]))


for word in words[:3]:
    print(f"{word:8}", *(first + " " + second for first, second in pairs_of(word)), sep="   ")

# %%
pairs = [pair for word in words for pair in pairs_of(word)]
print(f"{sum(len(pairs_of(word)) for word in words[:3])} pairs of the first three words, {len(pairs):,} of all")

# %% [markdown]
# **Try** `pairs_of("")`. How many pairs does the empty word have, and which?
#
# <details><summary>Answer</summary>
#
# One: `[('<S>', '<E>')]`. A model that gave it a probability could write an empty name.
#
# </details>
#
# ## 3. Counting with a dictionary
#
# The simplest way to learn which character follows which: count. The dictionary maps a pair to its count;
# `get(pair, 0)` reads a pair that is not there yet as 0.

# %%
tally_of_three = {}
for word in words[:3]:
    for pair in pairs_of(word):
        tally_of_three[pair] = tally_of_three.get(pair, 0) + 1
for pair, n in tally_of_three.items():
    print(*pair, n)

# %% [markdown]
# Over all words, with `Counter`, which does the same. Sorted by count: `key` takes the second part of an item, and a
# minus sorts from the greatest down.

# %%
tally = Counter(pairs)
by_count = sorted(tally.items(), key=lambda item: -item[1])
for pair, n in by_count[:10]:
    print(*pair, n)

# %% [markdown]
# The other end of the list, the rarest pairs:

# %%
rarest = sorted(tally.items(), key=lambda item: item[1])
print(*(f"{first}{second} {n}" for (first, second), n in rarest[:6]), sep="   ")
print(f"{len(tally)} different pairs; {sum(n == 1 for n in tally.values())} of them occur once")

# %% [markdown]
# (`an` is frequent. It does not follow that n nearly always comes after a:)

# %%
after_a = sum(n for (first, _), n in tally.items() if first == "a")
print(f"{tally['a', 'n']:,} of the {after_a:,} pairs after a are an: {tally['a', 'n'] / after_a:.0%}")

# %% [markdown]
# A dictionary of pairs is awkward to compute with. A two-dimensional array is better: **rows are the first character,
# columns the second, and an entry says how often the second follows the first.**
#
# ## 4. Arrays, and the table of 28 x 28
#
# An array of zeros, 3 by 5. Numbers are float32 unless told otherwise; counts are whole numbers, so int32.

# %%
a = jnp.zeros((3, 5), dtype=jnp.int32)
print(jnp.zeros((3, 5)).dtype, a.dtype, a.shape)
a

# %% [markdown]
# **JAX arrays cannot be changed.** An assignment to an entry is an error:

# %%
try:
    a[1, 3] = 1  # pyright: ignore
except TypeError as error:
    print(f"TypeError: {str(error)[:73]}...")

# %% [markdown]
# `a.at[1, 3].set(...)` and `.add(...)` return a new array; bind it to a name. (Indexes count from zero.)

# %%
a1 = a.at[1, 3].set(1)
a2 = a1.at[1, 3].add(1)
a3 = a2.at[0, 0].set(5).at[1, 3].set(3)
for array in (a1, a2, a3):
    print(array, "\n")

# %% [markdown]
# In return the result of a function depends on its arguments alone, which is what lets JAX differentiate, compile and
# vectorise it.
#
# > **In torch** and NumPy `a[1, 3] = 1` writes into the array. In JAX each update makes a new one. Inside a function
# > compiled with `jax.jit` the compiler reuses the memory of intermediate arrays, so chains of updates there copy
# > nothing. An argument is copied once, unless the caller gives it away with `donate_argnums`.
#
# **Try**: what does `a` hold after all this?
#
# <details><summary>Answer</summary>
#
# Still 15 zeros: `.at[...]` never changes the array it is called on.
#
# </details>
#
# Tables from tokens to numbers and back. The letters: join all words, take the set of characters, sort.

# %%
letters = sorted(set("".join(words)))
stoi28 = {letter: i for i, letter in enumerate(letters)}
stoi28["<S>"], stoi28["<E>"] = len(letters), len(letters) + 1
itos28 = {i: token for token, i in stoi28.items()}
print(len(letters), "letters")
print(textwrap.fill(str(stoi28), 98))

# %% [markdown]
# Now walk over all pairs. In NumPy the loop of the lecture can be written as it is:

# %%
tokens = len(stoi28)
table = np.zeros((tokens, tokens), dtype=np.int32)
for first, second in pairs:
    table[stoi28[first], stoi28[second]] += 1
table[:10, :10]  # a to j

# %% [markdown]
# In JAX 228,146 separate updates would copy the table each time. Gather the indexes and make **one** update: the counts
# of repeated pairs add up.

# %%
xs28 = jnp.array([stoi28[first] for first, _ in pairs])  # (228146,)
ys28 = jnp.array([stoi28[second] for _, second in pairs])
N28 = jnp.zeros((tokens, tokens), dtype=jnp.int32).at[xs28, ys28].add(1)
bool((table == N28).all())

# %% [markdown]
# An entry of an array is an array itself, without dimensions. `int(...)` or `.item()` takes the plain number out.

# %%
N28[0, 1], N28[0, 1].shape, N28[0, 1].item()

# %% [markdown]
# ## 5. Pictures of the table
#
# First the bare heat map: something is there, but nothing can be read off.

# %%
figure, ax = plt.subplots(figsize=(3.5, 3.5))
_ = ax.imshow(N28)

# %% [markdown]
# Then one that can be read: each cell names its pair and says its count. The shade follows the square root of the
# count. With the count itself three cells would be dark and all others look empty.

# %%
figure, ax = plt.subplots(figsize=(11, 11))
shade = np.sqrt(table / table.max())
ax.imshow(shade, cmap="Blues")
for i in range(tokens):
    for j in range(tokens):  # x is the column, y is the row
        ink = "white" if shade[i, j] > 0.6 else "black"
        ax.text(j, i, itos28[i] + itos28[j], ha="center", va="bottom", color=ink, fontsize=6)
        ax.text(j, i, str(table[i, j]), ha="center", va="top", color=ink, fontsize=9)
_ = ax.axis("off")

# %% [markdown]
# What is wasteful: the row of `<E>` is all zero, for nothing follows an end. The column of `<S>` is all zero, for
# nothing comes before a start. Of the four cells where the two meet, only start-then-end could be other than zero, for
# an empty word; there is none.

# %%
zeros = [int(part.sum()) for part in (N28[-1], N28[:, -2], N28[-2:, -2:])]
print("row <E>, column <S>, corner:", *zeros)

# %% [markdown]
# ## 6. One token, the dot
#
# One special token for both ends does it: `.`, with the number 0. The letters follow from 1. (Angle brackets are a
# habit of language processing for special tokens. A dot is less crowded.)

# %%
chars = "." + "".join(letters)
stoi = {char: i for i, char in enumerate(chars)}
itos = dict(enumerate(chars))
print(textwrap.fill(str(stoi), 98))

# %% [markdown]
# All words are now one stream, `.emma.olivia.ava.`, and every neighbouring pair of the stream is a bigram.

# %%
V = len(chars)  # 27
stream = np.array([stoi[char] for char in "." + ".".join(words) + "."])
xs, ys = stream[:-1], stream[1:]  # (228146,) each
N = jnp.zeros((V, V), dtype=jnp.int32).at[xs, ys].add(1)
print(f"shape {N.shape}, sum {N.sum():,}, dot after dot {N[0, 0]}")

# %% [markdown]
# mm_jax counts the same way:

# %%
vocab = mm_jax.Vocab.from_words(words)
counts = mm_jax.counts.fit(words, vocab)
vocab.chars, bool((counts.N == N).all())

# %% [markdown]
# Row 0 says how often each letter is the first, column 0 how often it is the last.

# %%
print("first:", N[0])
print("last: ", N[:, 0])

# %%
figure, ax = plt.subplots(figsize=(11, 11))
_ = plotting.count_table(counts, ax)

# %% [markdown]
# This table is all that is needed to sample from the bigram model.
#
# **Try**: which letter most often ends a name, and which letter never starts one? Read it off the picture.
#
# <details><summary>Answer</summary>
#
# n ends 6,763 names, the darkest cell of column `.` (a is close, with 6,640). Every letter starts some: the rarest
# first letter is u, with 78. The only zero in row `.` is the dot itself.
#
# </details>
#
# ## 7. Sampling from a distribution
#
# Row 0 as `N[0]` or `N[0, :]`. Divided by its sum it is a probability distribution. (JAX divides whole numbers to
# float32 by itself.)

# %%
p = N[0] / N[0].sum()
print(p.shape, p.dtype, f"sum {p.sum():.4f}")
print(p)

# %% [markdown]
# ### Random numbers with keys
#
# torch hides the state of its generator: each draw changes it, and the same line run twice gives different numbers. The
# lecture starts a generator at 2147483647, so that everyone sees the same. **JAX has no hidden state.** Every draw is a
# function of a key: the same key, the same numbers.

# %%
demo_key = jax.random.key(2147483647)
print(jax.random.uniform(demo_key, (3,)))
print(jax.random.uniform(demo_key, (3,)))

# %% [markdown]
# For new numbers make new keys of it. `split` gives as many as asked for, and `fold_in(key, i)` gives the i-th, which
# suits a loop. Rule: use each key once, for a draw or for a split; only fold_in may take it again, with another number.
# (The cell above broke the rule, to show what happens.)

# %%
key = jax.random.key(7)
left, right = jax.random.split(key)
left_0, left_1 = jax.random.split(left)
right_0, right_5 = jax.random.fold_in(right, 0), jax.random.fold_in(right, 5)

# %% [markdown]
# The keys form a tree. The numbers are drawn at its leaves, and no leaf depends on what was drawn at another:

# %%
figure, ax = plt.subplots(figsize=(8.5, 3.2))
tree = [(4, 2, "key(7)", None), (2, 1, "left", (4, 2)), (6, 1, "right", (4, 2)), (1, 0, left_0, (2, 1)),
        (3, 0, left_1, (2, 1)), (5, 0, right_0, (6, 1)), (7, 0, right_5, (6, 1))]  # fmt: skip
for x, y, at, parent in tree:
    if parent:
        ax.plot([parent[0], x], [parent[1], y], color="0.6", zorder=0)
    text = at if isinstance(at, str) else f"uniform\n{jax.random.uniform(at):.4f}"
    box = {"boxstyle": "round", "facecolor": "white" if isinstance(at, str) else "lightblue"}
    ax.text(x, y, text, ha="center", va="center", bbox=box)
for x, text in ((2.7, "split"), (5.3, "split")):
    ax.text(x, 1.65, text, ha="center", color="0.4")
for x, text in ((1, "split"), (3, "split"), (4.95, "fold_in 0"), (7.05, "fold_in 5")):
    ax.text(x, 0.55, text, ha="center", color="0.4")
ax.set(xlim=(0, 8), ylim=(-0.4, 2.3))
_ = ax.axis("off")

# %% [markdown]
# Why not one key for the whole program? Then two draws of the same shape would be the same numbers, such as all weights
# of two layers. And why not hidden state? With keys a draw can be compiled, vectorised and repeated alone: step 70,000
# of a training run needs `fold_in(key, 70_000)`, not the 70,000 draws before it.
#
# ### The lecture's numbers
#
# The first three of its generator, and a distribution made of them:

# %%
three = TorchGenerator(2147483647).rand(3)
q = three / three.sum()
print(three, f"sum {three.sum():.4f}")
print(q)

# %% [markdown]
# The lecture lets this generator go on, through all draws of sections 7 to 9. So that each cell here can be run alone,
# a function counts instead: `after(n)` is the generator once it has served those three and n more.


# %%
def after(n):
    torch = TorchGenerator(2147483647)
    torch.rand(3)
    torch.rand64(n)
    return torch


# %% [markdown]
# ### How a draw works
#
# Lay the probabilities end to end on a line from 0 to 1. A uniform random number lands in each piece with a probability
# equal to the piece's length; the draw is the index of that piece. The pieces end at the cumulative sum.

# %%
ends = np.cumsum(q)
uniforms = after(0).rand64(20)
by_pieces = np.searchsorted(ends, uniforms)
print("ends ", ends)
print("draws", by_pieces)

# %%
figure, ax = plt.subplots(figsize=(9, 1.9))
for i, (start, end) in enumerate(zip([0, *ends], ends)):
    ax.barh(0, end - start, left=start, height=0.5, color=f"C{i}", alpha=0.35)
    ax.text((start + end) / 2, 0, f"{i}\n{q[i]:.1%}", ha="center", va="center")
    inside = uniforms[by_pieces == i]
    ax.plot(inside, np.full(len(inside), 0.42), "v", color=f"C{i}", label=f"{len(inside)} of 20 draws are {i}")
ax.set(xlim=(0, 1), ylim=(-0.25, 0.6), yticks=[], xticks=[0, *np.round(ends, 2)])
_ = ax.legend(loc="upper left", bbox_to_anchor=(1, 1.05), frameon=False)

# %% [markdown]
# This is what `torch.multinomial` did in the lecture, so its uniform numbers give its draws. `categorical_old` is these
# two lines as a method:

# %%
twenty = after(0).categorical_old(q, 20)
fifty = after(20).categorical_old(q, 50)
print("20 draws:", twenty)
print("50 draws:", fifty)

# %% [markdown]
# The more draws, the nearer the shares come to the probabilities.


# %%
def shares(draws):
    return np.bincount(np.asarray(draws), minlength=3) / len(draws)


print("probabilities    ", q)
print("20 of the lecture", shares(twenty))
print("50 of the lecture", shares(fifty))
for i, n in enumerate((50, 5_000, 500_000)):
    draws = jax.random.categorical(jax.random.key(i), jnp.log(q), shape=(n,))
    print(f"{n:<7,} in JAX   ", shares(draws))

# %% [markdown]
# > **In torch** `multinomial` takes probabilities and puts a drawn item back ("with replacement") only if asked. In JAX
# > `jax.random.choice` takes probabilities and `jax.random.categorical` their logarithms; both put it back.
#
# **Try** 5,000,000 in place of 500,000. How near do the shares come?
#
# <details><summary>Answer</summary>
#
# The deviation to expect falls with the square root of the number of draws: 0.0007 at 500,000, 0.0002 at ten times as
# many. One draw may be luckier than that.
#
# </details>
#
# ### The first letter
#
# One draw from row 0, from number to letter. A fresh generator gives 13, m. After the 70 draws above the same
# generator gives 19, s: hidden state at work.

# %%
fresh = int(TorchGenerator(2147483647).categorical_old(p)[0])
used = int(after(70).categorical_old(p)[0])
print(fresh, itos[fresh], "with a fresh generator;", used, itos[used], "with the used one")

# %% [markdown]
# Is m plausible? And then the row of m is next:

# %%
m_ = stoi["m"]
print(f"m begins {N[0, m_]:,} names, {p[m_]:.1%}")
print(f"m ends {N[m_, 0]} names, a follows it {N[m_, stoi['a']]:,} times, b {N[m_, stoi['b']]} times")

# %% [markdown]
# ## 8. The sampling loop
#
# Start at the dot. Take the row of the character, make it a distribution, draw the next character, append it; stop when
# the dot comes. (While you write such a loop, limit it: with a mistake in the table it may never end.)


# %%
def sample_name(N, key, longest=100):
    name, ix = "", 0
    for place in range(longest):
        p = N[ix] / N[ix].sum()
        ix = int(jax.random.categorical(jax.random.fold_in(key, place), jnp.log(p)))
        if ix == 0:
            break
        name += itos[ix]
    return name


for name_key in jax.random.split(jax.random.key(1), 10):
    print(sample_name(N, name_key))

# %% [markdown]
# The same loop with torch's generator, one number a letter. It gives the lecture's ten names, letter for letter:


# %%
def names_from(P, torch, how_many=10):
    names, rows = [], np.asarray(P)
    for _ in range(how_many):
        name, ix = "", 0
        while not name.endswith("."):
            ix = int(torch.categorical_old(rows[ix])[0])
            name += itos[ix]
        names.append(name)
    return names


lecture_names = names_from(N, after(71))
print(*lecture_names, sep="\n")

# %% [markdown]
# And with a fresh generator, as the lecture's public notebook has them:

# %%
fresh_names = names_from(N, TorchGenerator(2147483647))
print(*fresh_names, sep="\n")

# %% [markdown]
# These names are bad, and not because of a bug. The model *is* bad: `h.` can be a whole name, because at h the model no
# longer knows that h was the first letter. It only knows that names often end in h.
#
# Compare it with a model that knows nothing, for which all 27 are equally likely:

# %%
uniform_names = names_from(np.ones((V, V)), after(71 + 50))
print(*uniform_names, sep="\n")

# %% [markdown]
# Clearly worse: the bigram model has learned something.
#
# **Try** `sample_name(N, jax.random.key(1))` twice, then with `key(2)`.
#
# <details><summary>Answer</summary>
#
# The first two names are the same, because the function depends on its arguments alone. Another key gives another name.
#
# </details>
#
# ## 9. All rows at once, broadcasting, and the keepdims bug
#
# The loop normalises the same rows again and again. Prepare one table P whose rows all sum to 1. First, sums: along
# axis 0 we walk down (one sum for each column), along axis 1 across (one for each row). `keepdims=True` keeps the
# summed axis, with size 1.

# %%
print("N.sum()                  ", N.sum().shape, f"{N.sum():,}")
print("N.sum(0, keepdims=True)  ", N.sum(0, keepdims=True).shape, "a row of column sums")
print("N.sum(1, keepdims=True)  ", N.sum(1, keepdims=True).shape, "a column of row sums")
print("N.sum(0)                 ", N.sum(0).shape)
print("N.sum(1)                 ", N.sum(1).shape)

# %% [markdown]
# A curious thing: row sums and column sums are equal. This is not chance. With a dot at both ends, every character
# that is the second of one pair is the first of the next.

# %%
print("row sums:   ", N.sum(1))
print("column sums:", N.sum(0))

# %% [markdown]
# Now the table of probabilities, and ten names from it, by the random numbers that the lecture used for this table:

# %%
wrong = N / N.sum(1)
wrong_names = names_from(wrong, after(71 + 50 + 217 + 73))
print(*wrong_names, sep="\n")

# %% [markdown]
# Full of x, q, z and j! The names of the loop were better, and nothing raised an error. **Stop here and find out why
# it is buggy.** Two hints: what is the sum of a row? What is the shape of what we divide by?

# %%
wrong.shape, N.sum(1).shape, float(wrong[0].sum())

# %% [markdown]
# **The rule of broadcasting.** Write the two shapes below each other, lined up at the *right*. Going left, each pair of
# sizes must be equal, or one of them 1, or missing. A size of 1 is stretched; a missing axis is put in front, as 1.
#
#     N                        27, 27           N              27, 27
#     N.sum(1, keepdims=True)  27,  1           N.sum(1)           27   read as 1, 27
#     result                   27, 27           result         27, 27
#
# Left, the *column* of row sums is repeated across all 27 columns: each row is divided by its own sum. Right, the sums
# have become a *row*, which is repeated down all 27 rows: column j is divided by the sum of row j. So a rare letter's
# column is divided by a small number, and rare letters are drawn far too often.

# %%
P = N / N.sum(1, keepdims=True)
print(f"right: row 0 sums to {P[0].sum():.4f}")
print(f"wrong: row 0 sums to {wrong[0].sum():.4f}, column 0 to {wrong[:, 0].sum():.4f}")
print("all entries equal:", bool((wrong == P).all()))

# %% [markdown]
# The wrong table's columns sum to exactly 1 because row sums equal column sums. With the right table:

# %%
right_names = names_from(P, after(71 + 50 + 217))
print(*right_names, sep="\n")

# %% [markdown]
# Respect broadcasting: look at shapes, check sums. JAX can make this an error: under `numpy_rank_promotion("raise")` it
# never adds an axis on its own. All tests of this project run so.

# %%
with jax.numpy_rank_promotion("raise"):
    try:
        N / N.sum(1)
    except ValueError as error:
        print(f"ValueError: {str(error).split(' and with')[0]}")

# %% [markdown]
# > **In torch** the lecture then divides in place, `P /= P.sum(1, keepdim=True)`, to save an array. JAX has no in-place
# > arithmetic; inside a compiled function intermediate arrays share memory anyway.
#
# **Try** `N / N.sum(0, keepdims=True)`. Which sums are 1 now, and what does an entry mean?
#
# <details><summary>Answer</summary>
#
# The columns sum to 1: entry [i, j] is the probability that the character *before* j was i. Since row and column sums
# are equal, it is the very table of the bug. A fine model, for writing names backwards.
#
# </details>
#
# ## 10. Likelihood: one number for quality
#
# Training was counting and normalising. The 729 entries of P are the **parameters** of the model. Sampling feeds each
# drawn letter back in. Now we want one number that says how good the model is. Here is the probability it gives to
# each pair of the first three words:


# %%
def pair_probs(word, P):
    index = jnp.array([stoi[char] for char in "." + word + "."])
    return P[index[:-1], index[1:]]


for word in words[:3]:
    for first, second, prob in zip("." + word, word + ".", pair_probs(word, P)):
        print(f"{first}{second}  {prob:.4f}  log {jnp.log(prob):7.4f}")

# %% [markdown]
# A model that knows nothing gives 1/27 = 0.037, about 4%, to everything. More than 4% means that something was learned;
# a perfect model would be near 1.

# %%
1 / 27

# %% [markdown]
# The **likelihood** is the product of these probabilities: the probability of the data under the model. It should be
# high. It is also tiny, and soon smaller than a float can hold:

# %%
three_words = jnp.concatenate([pair_probs(word, P) for word in words[:3]])  # (16,)
likelihood = math.prod(three_words.tolist())
likelihood

# %% [markdown]
# So take logarithms. log p is 0 at p = 1 and goes to minus infinity as p goes to 0. It is increasing, so the better
# model stays the better one. And a product becomes a sum: log(abc) = log a + log b + log c.

# %%
figure, ax = plt.subplots(figsize=(5, 3.2))
plotting.function(np.log, 0.005, 1, ax, name="log(p)", marks=[0.04, 0.2, 0.5, 1])
_ = ax.set_xlabel("probability p")

# %% [markdown]
# The sum of the logs is the **log likelihood**; its greatest value is 0. A loss should be low when the model is good,
# so flip the sign: **negative log likelihood (nll)**, at least 0. Divided by the number of pairs it is the **average
# nll**, the number this notebook watches from here on.

# %%
log_likelihood = float(jnp.log(three_words).sum())
print(f"log likelihood           {log_likelihood:8.4f}")
print(f"negative log likelihood  {-log_likelihood:8.4f}")
print(f"average of {len(three_words)} pairs      {-log_likelihood / len(three_words):8.4f}")

# %% [markdown]
# (38.7856 is the sum over three words, not a loss to compare: more words, greater sum.)
#
# Its unit is the **nat**, since we take natural logarithms: 2.42 nats per character. With logarithms to base 2 it would
# be bits, and one nat is 1.44 bits. A model that is as unsure as a fair die of n sides has a loss of ln n, so exp(loss)
# is the number of sides: about 11 characters here, in place of 27.
#
# Over all words:

# %%
log_P = jnp.log(P)
all_nll = -log_P[xs, ys].mean()
print(f"average nll of all {len(xs):,} pairs: {all_nll:.7f}")
print(f"a model that knows nothing:   ln {V} = {math.log(V):.4f}")

# %% [markdown]
# The lecture prints 2.4541. It adds 228,146 float32 numbers one by one, and the rounding errors reach the fourth digit:

# %%
added = np.float32(0)
for each in np.asarray(log_P)[xs, ys]:
    added -= each
exact = float(-np.log(np.asarray(P, np.float64)[xs, ys]).mean())
print(f"one by one in float32: {added / len(xs):.7f}")
print(f"in float64:            {exact:.7f}")

# %% [markdown]
# 2.4540 is right. `mm_jax.evaluate` computes it too, and also says how far the figure would move with another draw of
# words from the same source, its **standard error**: 0.0018. (It takes words as what is drawn, not characters: those of
# one word hang together.)

# %%
found = mm_jax.evaluate(counts, words)
print(f"{found.nll:.7f} +- {found.stderr:.4f}")

# %% [markdown]
# The chain of reasons: maximise the likelihood = maximise the log likelihood (the log is increasing) = minimise the nll
# = minimise the average nll. Here the parameters stand in a table. Later a network computes them; the goal stays.
#
# **Try** the wrong table: `-jnp.log(wrong)[xs, ys].mean()`. Better or worse than 2.4540? Can you compare them at all?
#
# <details><summary>Answer</summary>
#
# 2.4540, the same number! Row i of the wrong table is row i of the counts, with each entry divided by the sum of its
# column, and the logs of these sums add up to the same, since row and column sums are equal. It proves nothing: its
# rows sum to 7 or to 0.2, so they are not probabilities of what comes next. Check sums before you believe a loss.
#
# </details>
#
# ## 11. A word's own score
#
# The average nll can be taken of any word, also of one that is not in the list.


# %%
def average_nll(word, P):
    return float(-jnp.log(pair_probs(word, P)).mean())


for word in ("anubhav", "andrej", "andre"):
    print(f"{word:8} {average_nll(word, P):.4f}")

# %% [markdown]
# What is rare in andrej?

# %%
e_, j_ = stoi["e"], stoi["j"]
print(f"ej occurs {N[e_, j_]} times: probability {P[e_, j_]:.4f}, log {jnp.log(P[e_, j_]):.4f}")

# %% [markdown]
# **Try** your own name, in small letters. Is it more like a name than *andrej*?
#
# ## 12. Infinite loss, and smoothing
#
# A pair that never occurred has probability 0, the log of 0 is minus infinity, and the loss of the word is infinite.
# JAX says `inf` without a warning.

# %%
average_nll("anubhavm", P), average_nll("andrejq", P)

# %% [markdown]
# Find the guilty pair:


# %%
def show_pairs(word, P):
    for first, second, prob in zip("." + word, word + ".", pair_probs(word, P)):
        print(f"{first}{second}  {prob:.4f}  log {jnp.log(prob):8.4f}")


show_pairs("anubhavm", P)

# %%
v_, q_ = stoi["v"], stoi["q"]
print(f"vm occurs {N[v_, m_]} times, jq {N[j_, q_]} times; {(N == 0).sum()} of the {N.size} cells are zero")

# %% [markdown]
# A sensible name should not be impossible. **Smoothing** adds fake counts to every cell. The more fake counts, the more
# uniform the rows; the fewer, the more peaked. 1 is a decent choice. The number of fake counts is a **hyperparameter**:
# we choose it, no training finds it.


# %%
def smoothed(fake):
    return (N + fake) / (N + fake).sum(1, keepdims=True)


P1 = smoothed(1)
print(f"anubhavm: average nll {average_nll('anubhavm', P1):.4f}")
show_pairs("anubhavm", P1)

# %% [markdown]
# A corner of the table, before and after: each zero, that of vm among them, has become a 1.

# %%
figure, axes = plt.subplots(1, 2, figsize=(6.4, 3.3))
corner_rows, corner_columns = np.array([stoi[c] for c in "uvw"]), np.array([stoi[c] for c in "lmn"])
for ax, title, corner in zip(axes, ("N", "N + 1"), (N, N + 1)):
    corner = np.asarray(corner)[np.ix_(corner_rows, corner_columns)]
    ax.imshow(np.sqrt(corner), cmap="Blues", vmax=30)
    for i, k in np.ndindex(corner.shape):
        ax.text(k, i, f"{'uvw'[i]}{'lmn'[k]}\n{corner[i, k]}", ha="center", va="center", fontsize=13)
    ax.add_patch(Rectangle((0.5, 0.5), 1, 1, fill=False, edgecolor="tab:red", linewidth=2))
    ax.set(title=title, xticks=[], yticks=[])

# %% [markdown]
# One fake count changes the probabilities so little that the names stay the same: the first five, from a fresh
# generator.

# %%
names_0 = names_from(P, TorchGenerator(2147483647), 5)
names_1 = names_from(P1, TorchGenerator(2147483647), 5)
print(figures.columns({"+0": names_0, "+1": names_1}))

# %% [markdown]
# And the price, the loss of all words as the fake counts grow. (The lecture recalls 2.47 after smoothing by 1; it is
# 2.4546. 2.4765 and 2.4818, which one finds in public notebooks, come from cells run out of order.)

# %%
price = {}
for fake in (0, 1, 5, 10, 100, 1_000, 1_000_000):
    price[fake] = float(-jnp.log(smoothed(fake))[xs, ys].mean())
    print(f"+{fake:<9,}  {price[fake]:.4f}")

# %% [markdown]
# Even the best one costs something: on the words that were counted, no smoothing is best. On *unseen* words it is not;
# section 27 chooses it there.
#
# **Try** 0.01 fake counts. Is andrejq still possible, and what does it cost over all words?
#
# <details><summary>Answer</summary>
#
# `average_nll("andrejq", smoothed(0.01))` is 4.05, not infinite, and all words cost 2.4540 still. With 1 it is 3.48.
#
# </details>
#
# So far: count, normalise, sample, score.
#
# ## 13. The same model as a neural network
#
# Now the task in another frame. A network takes one character, has weights W, and gives a distribution over the next
# character. For any W the loss is one number, the same average nll. Its gradient says how to change W. The training set
# is the pairs; of emma alone, five:

# %%
xs_emma = jnp.array([stoi[char] for char in ".emma"])
ys_emma = jnp.array([stoi[char] for char in "emma."])
print("inputs ", xs_emma, "  targets", ys_emma)

# %% [markdown]
# > **In torch** two constructors differ in a capital letter: `tensor` takes the type from the data, `Tensor` makes
# > float32 of everything. Such traps are why the lecture says: get used to reading documentation and threads. JAX has
# > no such twins, `jnp.array` of whole numbers is int32, of others float32, but traps of its own: read [Sharp
# > bits](https://docs.jax.dev/en/latest/notebooks/Common_Gotchas_in_JAX.html) once.
#
# A float array used as an index is refused:

# %%
print(xs_emma.dtype, jnp.array([0.5]).dtype)
try:
    P[xs_emma.astype(jnp.float32)]
except TypeError as error:
    print("TypeError:", error)

# %% [markdown]
# ## 14. One-hot
#
# An index is a name, not a quantity: multiplying 13 with a weight makes no sense. Encode it as 27 numbers, all 0 but a
# 1 at place 13. Always say how many classes there are. `jax.nn.one_hot` gives float32 at once (torch gives whole
# numbers, which must be cast before a product).

# %%
xenc = jax.nn.one_hot(xs_emma, V)  # (5, 27) float32
figure, ax = plt.subplots(figsize=(9, 2.3))
_ = plotting.one_hot(xenc, [f"{char}  {int(x)}" for char, x in zip(".emma", xs_emma)], chars, ax)

# %% [markdown]
# **Indexes out of range raise no error in JAX**, since compiled code on an accelerator cannot raise one. Each function
# does something else with them. Check indexes before they go in, as mm_jax does.

# %%
print("one_hot(27, 27) is a row of zeros: sum", jax.nn.one_hot(27, 27).sum())
print("reading takes the nearest entry:      ", jnp.arange(5)[99])
print("an update there is dropped:           ", jnp.arange(5).at[99].set(7))

# %% [markdown]
# ## 15. Neurons, and the matrix product
#
# One neuron has 27 weights, drawn from the normal distribution, and no bias. It takes the dot product with each input;
# for five inputs at once that is one matrix product, (5, 27) @ (27, 1) = (5, 1). With the weights the lecture prints:

# %%
neuron = jnp.array(printed["printed_neuron_W"], jnp.float32)[:, None]  # (27, 1)
one_neuron = jax.nn.one_hot(xs_emma, 27) @ neuron
one_neuron

# %% [markdown]
# The normal distribution, and the 27 weights as ticks on it: most lie near 0, few beyond 2.

# %%
figure, ax = plt.subplots(figsize=(5.5, 2.6))
x = np.linspace(-3.5, 3.5, 200)
ax.plot(x, np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi))
ax.plot(neuron[:, 0], np.zeros(27), "|", color="tab:orange", markersize=16)
_ = ax.set(xlabel="weight", ylabel="density", ylim=(-0.03, 0.43))

# %% [markdown]
# 27 neurons are 27 columns of W: (5, 27) @ (27, 27) = (5, 27). From here on W is what torch draws from the generator at
# 2147483647. In JAX one would write `jax.random.normal(key, (27, 27))`.

# %%
W_start = jnp.array(TorchGenerator(2147483647).randn(V, V))
logits = xenc @ W_start  # (5, 27)
logits.shape

# %% [markdown]
# Entry [3, 13] is what neuron 13 says to input 3: the dot product of row 3 and column 13.

# %%
print(logits[3, 13], xenc[3] @ W_start[:, 13])

# %% [markdown]
# (The lecture's W was drawn without a fixed seed, so its entry is 0.2123. It prints column 13, and its dot product is
# 0.2123 as well:)

# %%
column_13 = jnp.array(printed["printed_W_column13"], jnp.float32)
by_column = float(jax.nn.one_hot(xs_emma[3], 27) @ column_13)
by_column

# %% [markdown]
# The product as a picture, with the row, the column and the entry that meet:

# %%
figure, axes = plt.subplots(1, 3, figsize=(10, 3.8))
_ = plotting.matrix_product(xenc, W_start, (3, 13), axes, names=("one-hot rows", "W", "logits"))

# %% [markdown]
# Rows 2 and 3 of the result are alike, for both inputs are m. This one linear layer - no bias, no tanh, no second
# layer - is the whole network: the simplest there is.
#
# ## 16. Logits, counts, probabilities: softmax
#
# The outputs are positive and negative. Probabilities must be positive and sum to 1; counts must be positive. So read
# the outputs as **logarithms of counts**, called *logits*: exponentiate them, and negative numbers become less than 1,
# positive ones more than 1, all greater than 0. They are fake counts, and can be treated as N was.

# %%
figure, ax = plt.subplots(figsize=(5, 3))
_ = plotting.function(np.exp, -3, 2.2, ax, name="exp(x)", marks=[-2, -1, 0, 1, 2])

# %%
fake_counts = jnp.exp(logits)
probs = fake_counts / fake_counts.sum(1, keepdims=True)  # keepdims, again
print(probs.shape, f"row 0 sums to {probs[0].sum():.4f}")

# %% [markdown]
# Follow one example, the dot, all the way through; other weights would give other probabilities:

# %%
print("index:      ", xs_emma[0])
print("one-hot:    ", np.asarray(xenc[0], int))
print("logits:     ", logits[0], sep="\n")
print("fake counts:", fake_counts[0], sep="\n")
print("probabilities:", probs[0], sep="\n")

# %% [markdown]
# Exponentiate and normalise is the **softmax**. It may sit on top of any linear layer, and makes probabilities of its
# outputs. Every step - multiply, add, exp, sum, divide - can be differentiated. `jax.nn.softmax` takes the greatest
# logit away first, so that exp cannot overflow; part 2 shows why.

# %%
float(jnp.abs(probs - jax.nn.softmax(logits)).max())

# %% [markdown]
# **Try** `jax.nn.softmax(logits + 100)`, and `jax.nn.softmax(2 * logits)`. What changes?
#
# <details><summary>Answer</summary>
#
# Adding 100 to all logits multiplies all fake counts by one factor, which normalising takes out: nothing changes, up to
# rounding. Doubling them squares the counts: the distribution becomes more peaked. After the dot, o goes from 0.24
# to 0.48.
#
# </details>
#
# ## 17. Example by example
#
# Everything about the five examples of emma: index, 27 probabilities, the label, its probability, log and nll.

# %%
nlls = np.zeros(5)
for i in range(5):
    x, y = int(xs_emma[i]), int(ys_emma[i])
    prob = float(probs[i, y])
    nlls[i] = -math.log(prob)
    print(f"example {i + 1}: {itos[x]}{itos[y]}   indexes {x}, {y}")
    print(f"  input to the network: {x}")
    print("  its output, the probabilities of the next character:")
    print("   " + str(np.asarray(probs[i])).replace("\n", "\n   "))
    print(f"  label, the true next character: {y}")
    print(f"  its probability: {prob:.6f}   log: {math.log(prob):.6f}   nll: {-math.log(prob):.6f}")
print(f"average nll, the loss: {nlls.mean():.7f}")

# %% [markdown]
# Another draw of W, another loss. Three that can be recomputed: this one; the same generator after all
# draws of sections 7 to 9; and the generator one higher.


# %%
def probs_of(W):
    return jax.nn.softmax(xenc @ W, axis=1)


W_later = jnp.array(after(71 + 50 + 217 + 73 + 278).randn(V, V))
W_lucky = jnp.array(TorchGenerator(2147483648).randn(V, V))
for name, W in (("2147483647", W_start), ("the same, used before", W_later), ("2147483648", W_lucky)):
    right = probs_of(W)[jnp.arange(5), ys_emma]
    print(f"{name:22} {right}  loss {-jnp.log(right).mean():.4f}")

# %% [markdown]
# The lecture prints these three (the last as 3.37), and 3.5861, 3.2332 and 3.2426 of weights that were drawn without a
# seed.
#
# Guessing W again and again is no way to train. Start from one guess and follow the gradient. The aim is to move the
# probabilities at these five places of the output towards 1:

# %%
print("example  pair  input  label  place in probs  probability")
for i in range(5):
    x, y = int(xs_emma[i]), int(ys_emma[i])
    print(f"{i + 1:<8} {itos[x]}{itos[y]}    {x:<5}  {y:<5}  {f'[{i}, {y}]':<14}  {probs[i, y]:.4f}")

# %% [markdown]
# ## 18. The loss in one line
#
# Name the five places one by one; or index with two arrays at once, row numbers and labels: entry i of the result is
# `probs[i, ys[i]]`.

# %%
print(probs[0, ys_emma[0]], probs[1, ys_emma[1]], probs[2, ys_emma[2]], probs[3, ys_emma[3]], probs[4, ys_emma[4]])
print(jnp.arange(5), ys_emma)
print(probs[jnp.arange(5), ys_emma])

# %% [markdown]
# Log, mean and sign then make one line, the same number as the loop above.

# %%
loss_emma = -jnp.log(probs[jnp.arange(5), ys_emma]).mean()
loss_emma

# %% [markdown]
# From weights to loss it is a graph of few operations, as micrograd's was:
#
#     xenc ──┐
#            @ ── logits ── exp ── / sum ── probs ── [arange(5), ys] ── log ── -mean ── loss
#     W ─────┘
#
# Compared with micrograd, the lecture before: there 4 examples, here 5. There the mean squared error, here the nll,
# because this is classification. There an MLP, here one linear layer with a softmax. There a loop over parameter
# objects, here one array. The rest is the same: forward, loss, gradient, step.
#
# **Try** (an exercise of the lecture): this loss has a name, *cross entropy*, and a function,
# `optax.softmax_cross_entropy_with_integer_labels(logits, ys_emma).mean()`. Is it the same, and why prefer it?
#
# <details><summary>Answer</summary>
#
# `import optax` first: 3.7693. It is shorter to read, leaves no place for a bug of one's own, and works from the
# logits, so that exp neither overflows nor underflows. Part 2 takes the reasons one by one.
#
# </details>
#
# ## 19. The gradient, and what its signs say
#
# In JAX the loss is a plain function of W, and **`jax.value_and_grad` makes of it a function that returns the loss and
# the gradient**: the derivatives with respect to the *first* argument. The result of the function must be one number.


# %%
def loss(W, xs, ys):
    logits = jax.nn.one_hot(xs, V) @ W
    probs = jax.nn.softmax(logits, axis=1)
    return -jnp.log(probs[jnp.arange(len(ys)), ys]).mean()


value_emma, gradient_emma = jax.value_and_grad(loss)(W_start, xs_emma, ys_emma)
print(f"loss {value_emma:.7f}, W {W_start.shape}, gradient {gradient_emma.shape}")
print("gradient of row 0:", gradient_emma[0], sep="\n")

# %% [markdown]
# > **In torch** one flags W with `requires_grad`, the forward pass records a graph, and one zeroes the old gradient and
# > calls `backward`, which writes into `W.grad`. In JAX the gradient is returned: nothing to flag, nothing to zero.
#
# Entry [0, 0] is positive: raise this weight a little, and the loss rises a little. Try it, by 0.01 both ways. (By
# 0.001 the two losses would differ by less than float32 can tell well: 2% off.)

# %%
up = loss(W_start.at[0, 0].add(0.01), xs_emma, ys_emma)
down = loss(W_start.at[0, 0].add(-0.01), xs_emma, ys_emma)
print(f"gradient[0, 0] = {gradient_emma[0, 0]:.5f}; the nudges give {(up - down) / 0.02:.5f}")
print(f"gradient[0, {e_}] = {gradient_emma[0, e_]:.5f}: a larger weight from . to e lowers the loss")

# %% [markdown]
# Only the rows of emma's inputs have a gradient. And a row can be written down: for an example it is probability minus
# target, here divided by the five examples.

# %%
by_hand = (probs[0] - jax.nn.one_hot(e_, V)) / 5
print("rows that are not zero:", np.flatnonzero(jnp.abs(gradient_emma).sum(1)))
print(f"row 0 by hand, largest difference {jnp.abs(by_hand - gradient_emma[0]).max():.0e}")
print(f"row 0 sums to {gradient_emma[0].sum():.4f}")

# %% [markdown]
# The lecture prints row 0 of the gradient of another W. It has the same structure: one negative entry,
# at e, and the sum is nearly 0: its 27 numbers are rounded to four decimals.

# %%
printed_row = printed["printed_gradient_row0"]
print("negative at", np.flatnonzero(printed_row < 0), f"  sum {printed_row.sum():.4f}")

# %% [markdown]
# A step nudges each weight *against* its gradient, so that the five right probabilities rise and the loss falls.
#
# ## 20. Update steps
#
# Loss and gradient, step, and again. torch writes into `W.data`; JAX binds the name W to a new array.

# %%
W, emma_losses = W_start, []
for _ in range(10):
    value, gradient = jax.value_and_grad(loss)(W, xs_emma, ys_emma)
    W = W - 0.1 * gradient
    emma_losses.append(float(value))
print(*(f"{value:.4f}" for value in emma_losses))

# %% [markdown]
# The first three are the lecture's, 3.7693, 3.7492, 3.7292. (From another W, drawn without a seed, it prints 4.3984,
# 4.3766, 4.3549: also 0.02 a step.)
#
# `mm_jax.fit` runs this loop in one compiled call; section 22 shows how. The same losses:

# %%
net = mm_jax.Bigram(W=W_start, vocab=vocab)
_, by_fit = mm_jax.fit(net, ["emma"], jax.random.key(0), steps=10, batch_size=None, learning_rate=0.1)
print(*(f"{value:.4f}" for value in by_fit.loss))

# %% [markdown]
# **Try** 1,000 steps at rate 10. How low can the loss on emma get? Why not to 0?
#
# <details><summary>Answer</summary>
#
# To 0.278 after 1,000 steps, and never below 0.277: after m comes m once and a once, and no model of one character can
# know which. 2 of 5 examples cost ln 2, and 2 ln 2 / 5 = 0.2773.
#
# </details>
#
# ## 21. All words
#
# Nothing changes but the data: 228,146 pairs in place of five. `jax.jit` compiles the step, which section 22 explains.
# Hand the data in as arguments: an array that a compiled function picks up from outside is frozen into it when it is
# first called, and other data would not be seen.


# %%
@jax.jit
def step(W, xs, ys, rate):
    value, gradient = jax.value_and_grad(loss)(W, xs, ys)
    return W - rate * gradient, value


all_xs, all_ys = jnp.array(xs), jnp.array(ys)
W, by_examples = W_start, []
for _ in range(5):
    W, value = step(W, all_xs, all_ys, 50.0)
    by_examples.append(float(value))
print(*(f"{value:.4f}" for value in by_examples))

# %% [markdown]
# All these examples are only 627 different pairs, in a table of 729 cells. The loss needs each pair once, times its
# count: the same number and the same gradient from the table N, with 729 terms in place of 228,146.


# %%
def loss_from_counts(W, N):
    return -(N * jax.nn.log_softmax(W, axis=1)).sum() / N.sum()


slow_value, slow_gradient = jax.value_and_grad(loss)(W_start, all_xs, all_ys)
value_N, gradient_N = jax.value_and_grad(loss_from_counts)(W_start, N)
print(f"loss {slow_value:.5f} and {value_N:.5f}")
print(f"gradients differ by {jnp.abs(slow_gradient - gradient_N).max():.0e}")

# %% [markdown]
# `mm_jax.fit(..., batch_size=None)` does this. The rest of the notebook trains with one short function around it:


# %%
def train(steps, rate, l2=0.0):
    """Trains from W_start on all words; returns the trained model, and the loss before each step."""
    model, history = mm_jax.fit(net, words, jax.random.key(0), steps=steps, batch_size=None, learning_rate=rate, l2=l2)
    return model, history.loss


five = train(5, 50.0)[1]
print(*(f"{value:.4f}" for value in five))

# %% [markdown]
# ### Which learning rate?
#
# The learning rate is a hyperparameter too. On emma 0.1 was fine. On all words the loss hardly moves with it: the
# gradient is an average over many examples, and each weight belongs to few of them. Far larger rates work, even 50.

# %%
rates = {rate: train(100, rate)[1] for rate in (0.1, 1.0, 10.0, 50.0, 100.0, 200.0)}
print("rate     step 0   step 9   step 99")
for rate, values in rates.items():
    print(f"{rate:<7g}  {values[0]:.4f}   {values[9]:.4f}   {values[99]:.4f}")

# %%
figure, ax = plt.subplots(figsize=(7.5, 4))
for (rate, values), up_by in zip(rates.items(), (0, 0, 0.02, -0.06, 0.03, 0.06)):
    wild = {"color": "0.6", "linewidth": 0.8, "zorder": 0} if rate == 200 else {}
    line = ax.plot(values, **wild)[0]
    ax.text(101, values[99] + up_by, f"rate {rate:g}", color=line.get_color(), va="center")
ax.axhline(all_nll, color="black", linestyle="--", linewidth=1)
ax.text(2, all_nll - 0.02, f"counting: {all_nll:.4f}", va="top")
ax.grid(alpha=0.3)
_ = ax.set(xlabel="step", ylabel="nats per character", xlim=(0, 116), ylim=(2.3, 3.9))

# %% [markdown]
# At 200 the steps overshoot: the loss jumps between 2.6 and 3.4 and gets nowhere. At 100 it still works,
# with jumps up now and then: the edge of stability. The lecture compares 1, 10 and 100 for ten steps from a W drawn
# without a seed; from our W the digits differ and the picture is the same.

# %%
for rate in (1, 10, 100):
    print(f"rate {rate:<4} lecture {printed[f'printed_losses_rate_{rate}']}")
    print(f"{'':9} here    {rates[rate][:10]}")

# %% [markdown]
# And its 100 steps at rate 10, every tenth and the last:

# %%
every_tenth = [*range(0, 100, 10), 99]
print("lecture", printed["printed_losses_rate_10_100_steps"][every_tenth])
print("here   ", rates[10][every_tenth])

# %% [markdown]
# ### 100 steps at rate 50
#
# The lecture's run. To the loss it adds 0.01 times the mean of the squares of W, an **L2 penalty**, which keeps the
# weights small; section 24 says why. All 100 losses agree to four decimals with the printed ones.

# %%
trained, losses = train(100, 50.0, l2=0.01)
for i in range(0, 100, 10):
    print(f"step {i:2}  " + " ".join(f"{value:.4f}" for value in losses[i : i + 10]))

# %% [markdown]
# The curve does not end at 2.49. What should we expect? The loss of the counting model, 2.4540, reached from above:
# counting *is* the minimum of this loss. The right panel shows the distance to it, for 3,000 steps
# without the penalty: on logarithmic axes it falls and falls.

# %%
after_3000, long = train(3_000, 50.0)
figure, axes = plt.subplots(1, 2, figsize=(10, 3.8))
lines = {f"ln {V}, knowing nothing": math.log(V), "counting": float(all_nll)}
plotting.losses(losses, axes[0], smooth=1, lines=lines)
axes[0].set_title("100 steps, with penalty")
axes[1].loglog(np.arange(1, 3001), np.maximum(long[:3000] - exact, 1e-6))
axes[1].set(title="3,000 steps, without", xlabel="step", ylabel="loss - loss of counting, nats")
axes[1].grid(alpha=0.3)

# %% [markdown]
# 2.4901 contains the penalty. The last loss without it (a loss is taken before its step, hence 99):

# %%
data_part = mm_jax.evaluate(train(99, 50.0, l2=0.01)[0], words).nll
data_part

# %% [markdown]
# Without the penalty the lecture sees 2.47 after 100 steps, then 2.46 and 2.45:

# %%
for steps in (10, 100, 200, 400, 1_000, 3_000):
    print(f"{steps:>5,} steps  {long[steps - 1]:.4f}")

# %% [markdown]
# Why descend if one can count? Here counting suffices, since the problem is so simple. Descent goes much further: to
# more characters of context, to bigger networks, up to transformers. Only the way to the logits changes; softmax, nll
# and the steps stay as they are.
#
# **Try** (an exercise of the lecture) another start: `net` with `W=0.01 * W_start`. What is the first loss, and how
# much does it gain after 100 steps at rate 50?
#
# <details><summary>Answer</summary>
#
# All logits are nearly 0, so the first loss is ln 27 = 3.2958 instead of 3.7590: no steps are lost on unlearning what
# the random weights claim. After 100 steps:
#
# ```python
# small = mm_jax.Bigram(W=0.01 * W_start, vocab=vocab)
# history = mm_jax.fit(small, words, jax.random.key(0), steps=100, batch_size=None, learning_rate=50.0)[1]
# history.loss[0], history.loss[99]
# ```
#
# gives 3.2957 and 2.4705, where W_start gave 2.4729. Part 3 of the lectures is about the start.
#
# </details>
#
# ## 22. JAX in ten minutes
#
# By now the model is known, so look at JAX itself. Seven things, each with a number to predict before you read on.
#
# ### What JAX sees: the jaxpr
#
# JAX runs a Python function once with *tracers* in place of arrays. They know shape and type and no numbers, and they
# record each operation. `jax.make_jaxpr` shows the record. **Predict**: how many operations does our loss have?

# %%
jaxpr = jax.make_jaxpr(loss_from_counts)(W_start, N)
print(jaxpr)

# %% [markdown]
# 17 operations: 10 inside `log_softmax` (the greatest logit, subtracted; exp, sum, log), 7 of our own
# (counts to float32, times, sum, minus, the sum of counts, and the division). Everything JAX does starts from this
# list. What is not on it - a `print`, an `if`, the name of a Python variable - happened once, while it was recorded.
#
# ### grad: another such list
#
# `jax.grad` reads the list backwards and writes a new one. **Predict**: the derivative of nll by a logit is probability
# minus target, so which formula gives all 729 at once?

# %%
gradient_jaxpr = jax.make_jaxpr(jax.grad(loss_from_counts))(W_start, N)
print(*str(gradient_jaxpr).splitlines()[-14:], sep="\n")

# %% [markdown]
# These are the last lines. `v` is minus the counts over their sum, from the loss; `bd` is the row sums times
# exp over its sum, the softmax; `add_any` adds the two: how often the row occurs, times softmax, minus the counts.

# %%
formula = (N.sum(1, keepdims=True) * jax.nn.softmax(W_start, axis=1) - N) / N.sum()
float(jnp.abs(formula - gradient_N).max())

# %% [markdown]
# ### jit: compile the list
#
# `jax.jit` hands the list to the XLA compiler when the function is first called, and from then on runs the program.
# Python is not asked again. **Predict**: how often does this print "tracing"?


# %%
@jax.jit
def compiled_loss(W, N):
    print("tracing, W is", W.shape)
    return loss_from_counts(W, N)


compiled_loss(W_start, N)
compiled_loss(trained.W, N)
compiled_loss(W_start[:5], N[:5])
_ = compiled_loss(2 * W_start, N)

# %% [markdown]
# Twice: once for each *shape*. (Another type, or a Python number in place of an array of float32, counts as another
# shape does.) What it gains: JAX answers before the work is done, so a clock must wait with `block_until_ready`.


# %%
def milliseconds(function, *args, times=30):
    """Returns the median time of a call, and that of the first call."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        jax.block_until_ready(function(*args))
        taken.append(1000 * (time.perf_counter() - start))
    return float(np.median(taken)), taken[0]


plain_step = jax.value_and_grad(loss_from_counts)
usual, first_call = milliseconds(plain_step, W_start, N)
print(f"without jit  first {first_call:7.2f} ms   then {usual:6.3f} ms")
usual, first_call = milliseconds(jax.jit(plain_step), W_start, N)
print(f"with jit     first {first_call:7.2f} ms   then {usual:6.3f} ms")

# %% [markdown]
# The first call pays for tracing and compiling, the others are tens of times faster: operations run without Python
# between them, and are fused.
#
# ### What is frozen
#
# A value that the function reads from outside is recorded like any constant. **Predict** the second line:

# %%
factor = 0.0


@jax.jit
def scaled_loss(W, N):
    return factor * loss_from_counts(W, N)


for factor in (1.0, 2.0):
    print(f"factor {factor}: {scaled_loss(W_start, N):.4f}")
print(f"without jit, factor {factor}: {factor * loss_from_counts(W_start, N):.4f}")

# %% [markdown]
# The second line is wrong, and no error says so: `factor` was read once, when it was 1. The first JAX port of makemore
# had its learning rate in such a variable, and its schedule never took effect. So everything that may change is an
# argument: data, rates, keys. That is the price of compilation, and what *pure function* means.
#
# ### vmap: write for one, run for many
#
# Here is the loss of **one** row of W, given one row of counts. `jax.vmap` makes of it a function of 27 rows: every
# operation of the list gets one more axis. **Predict**: the shape of the result, and its sum.


# %%
def row_loss(w, n):  # (27,), (27,)
    return -(n * jax.nn.log_softmax(w)).sum()  # no axis, no keepdims: one row has none to confuse


row_losses = jax.vmap(row_loss)(W_start, N)
row_losses.shape, float(row_losses.sum() / N.sum())

# %% [markdown]
# A vector of 27, whose sum over the count of pairs is 3.7590, the loss. `in_axes` says which arguments
# have the new axis: `(0, None)` is many W for one table. Six starts, of six sizes, at once:

# %%
sizes = jnp.array([0.0, 0.01, 0.1, 0.5, 1.0, 2.0])
starts = sizes[:, None, None] * W_start[None]  # (6, 27, 27)
of_starts = jax.vmap(loss_from_counts, in_axes=(0, None))(starts, N)
print(sizes, of_starts, sep="\n")

# %% [markdown]
# ### scan: the loop is on the list, too
#
# A Python loop of 10 steps is 10 calls. `jax.lax.scan` takes a function from a state to the next state and a value to
# keep, and runs it as often as asked, inside one compiled program. This is all there is to `mm_jax.fit`. **Predict**:
# which ten losses does it print?


# %%
@functools.partial(jax.jit, static_argnums=(0, 4))
def descend(loss, W, data, rate, steps):
    def one_step(W, _):
        value, gradient = jax.value_and_grad(loss)(W, *data)
        return W - rate * gradient, value  # the next state, and what is kept of this step

    return jax.lax.scan(one_step, W, length=steps)


_, by_scan = descend(loss, W_start, (xs_emma, ys_emma), 0.1, 10)
print(by_scan)

# %% [markdown]
# Those of section 20. (`static_argnums`: the function and the number of steps are not arrays; each new one is
# compiled anew.) What ten steps cost in a loop as in section 20, in a loop with a compiled step, and as a scan:


# %%
def python_loop(step, W):
    for _ in range(10):
        W, value = step(W, xs_emma, ys_emma, 0.1)
    return value


print(f"loop in Python, no jit  {milliseconds(python_loop, step.__wrapped__, W_start)[0]:7.2f} ms")
print(f"loop in Python, jit     {milliseconds(python_loop, step, W_start)[0]:7.2f} ms")
scanned = functools.partial(descend, loss)
print(f"scan                    {milliseconds(scanned, W_start, (xs_emma, ys_emma), 0.1, 10)[0]:7.2f} ms")

# %% [markdown]
# And the parts compose. The loop of section 21 over rates, as one program: `vmap` over the rate of a whole scan.
# **Predict**: what shape does the result have?

# %%
many = jnp.array([0.1, 1.0, 10.0, 50.0, 100.0, 200.0])
_, at_once = jax.vmap(lambda rate: descend(loss_from_counts, W_start, (N,), rate, 100))(many)
print(at_once.shape)
print(at_once[:, 99])

# %% [markdown]
# Six runs of 100 losses: those of the table in section 21. (At 200 the number is another one, since there the path is
# chaotic: a rounding of 1e-7 decides where it jumps.)
#
# ### Pytrees: any nest of arrays
#
# W need not be one array. Any nest of dicts, lists and dataclasses is a *pytree*, its arrays are the *leaves*, and
# `jax.grad`, `jit`, `vmap` and `scan` take it as they take an array. **Predict**: what is the gradient of a dict?


# %%
def loss_of_dict(params, N):
    return loss_from_counts(params["W"] + params["b"][None], N)


params = {"W": W_start, "b": jnp.zeros(V)}
gradients = jax.grad(loss_of_dict)(params, N)
jax.tree.map(jnp.shape, gradients)

# %% [markdown]
# A dict of the same form. So a step is written once for every model, with `jax.tree.map`:

# %%
stepped = jax.tree.map(lambda leaf, slope: leaf - 1.0 * slope, params, gradients)
print(f"{loss_of_dict(params, N):.4f} -> {loss_of_dict(stepped, N):.4f}")

# %% [markdown]
# A model of mm_jax is such a tree. Its class marks what is no array, here `vocab`, as static: a part of the form, not a
# leaf.

# %%
print(jax.tree.map(jnp.shape, jax.tree.leaves(net)))
print(str(jax.tree.structure(net))[:98])

# %% [markdown]
# That was JAX: a pure function, recorded once, then differentiated, vectorised, looped and compiled. Its
# traps, all seen above: arrays cannot be assigned to (4); keys are used once (7); indexes out of range (14); a value
# from outside is frozen, each new shape is compiled anew, and a clock must wait (22). More of each: [Key
# concepts](https://docs.jax.dev/en/latest/key-concepts.html), [Sharp
# bits](https://docs.jax.dev/en/latest/notebooks/Common_Gotchas_in_JAX.html).
#
# **Try** `jax.make_jaxpr(step)(W_start, all_xs, all_ys, 50.0)` and find the one-hot, and its shape.
#
# <details><summary>Answer</summary>
#
# It is the first operation, f32[228146,27]: 6 million numbers, of which all but 228,146 are zero. `dot_general` after
# it is the product with W. The next section does without both.
#
# </details>
#
# ## 23. One-hot times W is a row of W
#
# A one-hot row with its 1 at place 13 picks row 13 of W: 26 rows times 0, one times 1.

# %%
figure, axes = plt.subplots(3, 1, figsize=(7.5, 6.2), height_ratios=[1.2, 27, 1.2])
parts = [
    ("row 3 of xenc, the input m", xenc[3:4], 0),
    (f"W, row {m_} framed", W_start, m_),
    ("row 3 of xenc @ W", logits[3:4], 0),
]
for ax, (title, values, row) in zip(axes, parts):
    ax.imshow(values, cmap="RdBu_r", vmin=-3, vmax=3, aspect="auto")
    ax.add_patch(Rectangle((-0.5, row - 0.5), V, 1, fill=False, edgecolor="black", linewidth=2.5, clip_on=False))
    ax.set_title(title, fontsize=10)
    ax.set(xticks=[], yticks=[])
_ = axes[1].set_yticks(range(V), list(chars), fontsize=7)

# %% [markdown]
# So `xenc @ W` is `W[xs]`: the network looks up a row, as the counting model did. (On an accelerator a
# matrix product may round; a lookup never does.)

# %%
bool((xenc @ W_start == W_start[xs_emma]).all())

# %% [markdown]
# **Try** (an exercise of the lecture): write the loss with an index in place of one-hot. Same loss? Same gradient?


# %% tags=["solution"]
def loss_by_index(W, xs, ys):
    return -jax.nn.log_softmax(W[xs], axis=1)[jnp.arange(len(ys)), ys].mean()


value_index, gradient_index = jax.value_and_grad(loss_by_index)(W_start, xs_emma, ys_emma)
print(f"loss {value_index:.7f}, gradients differ by {jnp.abs(gradient_index - gradient_emma).max():.0e}")

# %% [markdown]
# So exp(W) plays the part of the table of counts, and **W holds log counts**. One was counted, the other found by
# following the loss. They agree up to a factor for each row, which normalising removes; take the mean off each row of
# logs to see it. The row of a, after 100 and after 3,000 steps without the penalty:

# %%
after_100 = train(100, 50.0)[0]
shown = jnp.array([stoi[char] for char in ".nlriq"])
three_rows = jnp.stack([array[stoi["a"], shown] for array in (jnp.log(jnp.maximum(N, 1)), after_100.W, after_3000.W)])
three_rows -= three_rows.mean(1, keepdims=True)
print("after a   log count   W, 100 steps   W, 3,000 steps   (means taken off)")
for char, row in zip(".nlriq", three_rows.T):
    print(f"a{char}        {row[0]:8.2f}   {row[1]:11.2f}   {row[2]:13.2f}")

# %% [markdown]
# Rare rows learn slowly, because few examples pull at them. After q almost always comes u:

# %%
learned = jax.nn.softmax(trained.W, axis=1)
u_ = stoi["u"]
print(f"P(u after q): counted {P[q_, u_]:.4f}, after 100 steps {learned[q_, u_]:.4f}, "
      f"after 3,000 {jax.nn.softmax(after_3000.W, axis=1)[q_, u_]:.4f}")  # fmt: skip

# %% [markdown]
# Both tables, and what the network has too little (red) or too much (blue). The shade follows the root of the
# probability and is darkest at 0.5; the difference is shown as it is.

# %%
figure, axes = plt.subplots(1, 3, figsize=(11, 4.1))
for ax, title, shown_P in zip(axes, ("P, counted", "softmax(W), 100 steps"), (P, learned)):
    plotting.heat_map(shown_P, chars, ax, limit=0.5)
    ax.set_title(title)
plotting.heat_map(np.zeros((V, V)), chars, axes[2], limit=0.5)
axes[2].imshow(learned - P, cmap="RdBu", vmin=-0.3, vmax=0.3)
_ = axes[2].set_title("softmax(W) - P")

# %% [markdown]
# One cell stands out, u after q: q occurs 272 times in 228,146 pairs, too few to pull its row in 100 steps.
#
# ## 24. Regularisation
#
# With W = 0 all logits are equal, and so are all probabilities. (Any W that is constant along each row does the same.)

# %%
zero = jnp.zeros((V, V))
print(probs_of(zero)[0, :5], f"loss {loss(zero, xs_emma, ys_emma):.4f}")

# %% [markdown]
# A million fake counts in each cell do the same to the table, whose greatest count is 6,763.

# %%
million = smoothed(1_000_000)[0]
print(f"row 0 lies between {million.min():.5f} and {million.max():.5f}; 1/27 is {1 / 27:.5f}")

# %% [markdown]
# So pulling W towards 0 is the network's version of adding fake counts: the stronger the pull, the
# smoother the distribution. Why would one want it? Large weights make peaked rows: a network that was sure, and is
# wrong on a pair it has not seen, pays a lot. The two do the same kind of thing, not exactly the same thing. (The
# lecture calls both *label smoothing* once. That is another technique: it changes the targets. Ours is *model
# smoothing*.)
#
# Add to the loss a strength times the mean of the 729 squares, an **L2 penalty**: 0 only at W = 0, a spring that pulls
# back. Squaring removes the signs. Its gradient takes a little off every weight in each step, hence its other name,
# *weight decay*. Minimising the loss then has two goals that compete: fit the pairs, stay small. The strength, a
# hyperparameter, weighs them. Too strong, and all is uniform; too weak, and nothing happens. One more term in the loss:


# %%
def penalised_loss(W, N, l2):
    return loss_from_counts(W, N) + l2 * (W**2).mean()


print(f"mean of W squared at the start: {(W_start**2).mean():.4f}   (the lecture's other W: 0.9617)")
print(f"loss {loss_from_counts(W_start, N):.4f}, with 0.01 of it added {penalised_loss(W_start, N, 0.01):.4f}")

# %% [markdown]
# What each strength costs, **trained to the end**: 20,000 steps each, at a rate that is stable for it (a strong spring
# is stiff, and needs small steps). Beside it the fake counts. In both tables more means nearer to ln 27 = 3.2958.


# %%
def distance_from_uniform(P):
    return float(jnp.abs(P - 1 / V).sum(1).mean())


converged = {}
print("penalty   rate    data loss   distance of the rows from uniform")
for l2 in (0.0, 0.01, 0.1, 1.0, 10.0):
    rate = min(25.0, 50.0 / (1 + 10 * l2))
    model, _ = train(20_000, rate, l2=l2)
    converged[l2] = mm_jax.evaluate(model, words).nll
    far = distance_from_uniform(jax.nn.softmax(model.W, axis=1))
    print(f"{l2:<8g}  {rate:5.2f}   {converged[l2]:.4f}      {far:.3f}")

# %%
print("fake counts       data loss")
for fake, value in price.items():
    print(f"{fake:<9,}         {value:.4f}      {distance_from_uniform(smoothed(fake)):.3f}")

# %% [markdown]
# The lecture compares strengths after 100 steps at rate 10, on 80% of the pairs, by the total loss. On
# all pairs, from our W:

# %%
strengths = {l2: float(train(100, 10.0, l2=l2)[1][99]) for l2 in (0.1, 1.0, 0.001, 0.0001)}
for (l2, ours), theirs in zip(strengths.items(), (2.6531, 2.8925, 2.5767, 2.5635)):
    print(f"strength {l2:<6g} lecture {theirs:.4f}   here {ours:.4f}")

# %% [markdown]
# (0.0001 looks best, and would on any training loss: a penalty cannot lower it. The choice has to be made on words
# held back from training, the dev words of section 27.)
#
# ## 25. Names from the network
#
# The loop again, with the network in place of the table: index to one-hot, logits, exp, normalise, draw; stop at 0.
#
# > **In torch** newer versions draw a single letter in another way: 27 uniform numbers become exponentially distributed
# > ones, q = -log(1 - u), and the letter is where p / q is greatest. This, too, draws each letter with exactly its
# > probability. It is the Gumbel-max trick, and `jax.random.categorical` does it: argmax(logits + noise).
#
# `TorchGenerator.categorical` repeats it, and the lecture's names come out, letter for letter.


# %%
def names_of(row_of, how_many=5):
    """`row_of(ix)` is the row of (fake) counts that follows character ix."""
    torch, names = TorchGenerator(2147483647), []
    for _ in range(how_many):
        name, ix = "", 0
        while not name.endswith("."):
            fake_counts = np.asarray(row_of(ix))
            ix = torch.categorical(fake_counts / fake_counts.sum())
            name += itos[ix]
        names.append(name)
    return names


def network(W):
    return lambda ix: jnp.exp(jax.nn.one_hot(ix, V) @ W)


network_names = names_of(network(trained.W))
counts_names = names_of(lambda ix: N[ix])
print(figures.columns({"network": network_names, "counts": counts_names}))

# %% [markdown]
# The lecture says that both models give identical names. Four of the five are. In the second, the network still thinks
# `yh` twice as likely as it is, after 100 steps with the penalty.

# %%
y_, h_ = stoi["y"], stoi["h"]
print(f"P(h after y): counted {P[y_, h_]:.4f}, network {learned[y_, h_]:.4f}")

# %% [markdown]
# Without the penalty and with more steps the names agree:

# %%
after_300 = train(300, 50.0)[0]
agreed = names_of(network(after_300.W))
print(figures.columns({"300 steps, no penalty": agreed, "counts": counts_names}))

# %% [markdown]
# The lecture also samples from its net of section 21 (100 steps at rate 10, W without a seed); beside it ours, and the
# names that the penalised net gives with the numbers of section 8:

# %%
rate_10 = names_of(network(train(100, 10.0)[0].W))
old_names = names_from(learned, TorchGenerator(2147483647), 5)
lost_names = ["zriwreisona.", "ady.", "myonaxrolin.", "arravispgoikeen.", "arolouliymairekorqgbwyuere."]
print(figures.columns({"lecture, rate 10": lost_names, "here, rate 10": rate_10, "numbers of section 8": old_names}))

# %% [markdown]
# In mm_jax sampling is one compiled loop for all names at once. With one key, counts and trained network:

# %%
models = {"counts": counts, "W from the counts": mm_jax.bigram.from_counts(counts), "3,000 steps": after_3000,
          "100 steps, penalty": trained}  # fmt: skip
print(figures.columns({name: mm_jax.sample(model, jax.random.key(1), 10) for name, model in models.items()}))

# %% [markdown]
# W taken from the counts in closed form gives the same names as the counts, always. A trained W differs wherever a
# probability is still off by enough; once one letter differs, so does the rest of the name.
#
# ## 26. Why both are the same model, and which one scales
#
# The same information goes in (one character), the same family of distributions comes out, the loss is the same.
# Counting writes the minimum down at once; descent walks towards it. With more characters of context the table explodes
# - 27 rows, then 729, then 19,683 - and the network does not. That is part 2.
#
# ## 27. Training, validation and test; the lecture's exercises
#
# The lecture's public notebook splits the pairs at random into 80, 10 and 10 per cent, trains on the first, and looks
# at the others.

# %%
order = jax.random.permutation(jax.random.key(26), len(xs))
cut_1, cut_2 = int(0.8 * len(xs)), int(0.9 * len(xs))
parts_of = {"train": order[:cut_1], "validation": order[cut_1:cut_2], "test": order[cut_2:]}
tables = {name: jnp.zeros((V, V), jnp.int32).at[all_xs[part], all_ys[part]].add(1) for name, part in parts_of.items()}
{name: int(table_.sum()) for name, table_ in tables.items()}

# %% [markdown]
# 100 steps at rate 10 on the first part, with the scan of section 22. Beside it what the lecture prints, from its own W
# and split:

# %%
W_80, split_losses = descend(loss_from_counts, W_start, (tables["train"],), 10.0, 100)
print("lecture", printed["printed_losses_split_rate_10"][every_tenth])
print("here   ", np.asarray(split_losses)[every_tenth])

# %%
final = {name: float(loss_from_counts(W_80, part)) for name, part in tables.items()}
for (name, value), theirs in zip(final.items(), (2.5629, 2.5745, 2.5639)):
    print(f"{name:10}  lecture {theirs:.4f}   here {value:.4f}")

# %% [markdown]
# All three are alike: a model of 729 numbers cannot learn 180,000 pairs by heart. But this split tears words apart:
# pairs of one word stand on both sides. For a bigram it hardly matters. Models that can spell whole words need a split
# *by words*, and the exercises take it: train, dev and test, 80, 10 and 10 per cent of the words, shuffled.

# %%
split = mm_jax.split_words(words)
[len(part) for part in split]

# %% [markdown]
# **The exercises of the lecture**, with answers folded. (1) Train a trigram model: take two characters
# to predict the third, by counting or with a network. Is its loss better than the bigram's? (2) Split the words, train
# bigram and trigram on train only, evaluate on dev. (3) Tune the smoothing of the trigram on dev; then look at test,
# once. (4) An index in place of one-hot: section 23. (5) Cross entropy: section 18. (6) One of your own.
#
# (1) **Try** it: how many entries does the table of a trigram have? How far below 2.4540 do you expect the loss on all
# words?


# %% tags=["solution"]
def trigram_counts(words):
    index = [np.array([0, 0, *(stoi[char] for char in word), 0]) for word in words]
    three = np.concatenate([np.stack([t[:-2], t[1:-1], t[2:]], axis=1) for t in index])  # (228146, 3)
    T = np.zeros((V, V, V))
    np.add.at(T, tuple(three.T), 1)
    return T


def trigram_nll(counted, scored, fake):
    """The average nll of the triples in `scored`, by the table of `counted` with fake counts added."""
    P = (counted + fake) / (counted + fake).sum(2, keepdims=True)
    return float(-(scored * np.log(P)).sum() / scored.sum())


T = trigram_counts(words)
trigram_all = trigram_nll(T, T, 1e-9)
print(f"{T.size:,} entries, {(T > 0).sum():,} of them not 0; loss on the words it counted: {trigram_all:.4f}")

# %% [markdown]
# (2) and (3) **Try** fake counts of 0.001, 0.1, 0.2 and 1. Which is best on train, which on dev?

# %% tags=["solution"]
T_train, T_dev, T_test = (trigram_counts(part) for part in split)
tuned = {}
for fake in (0.001, 0.01, 0.1, 0.2, 0.5, 1, 2):
    tuned[fake] = trigram_nll(T_train, T_dev, fake)
    print(f"+{fake:<6g}  train {trigram_nll(T_train, T_train, fake):.4f}   dev {tuned[fake]:.4f}")
bigram_dev = mm_jax.evaluate(mm_jax.counts.fit(split.train, vocab, smoothing=1.0), split.dev).nll
print(f"bigram +1, dev {bigram_dev:.4f}")

# %% [markdown]
# <details><summary>What to see</summary>
#
# On train less smoothing is always better. On dev 0.2 is best: 2.2223, after 2.2447 at 0.001, 2.2225 at 0.1, 2.2365 at
# 1. The trigram gains 0.23 nats on the bigram. Now, and only now, the test list: `trigram_nll(T_train, T_test, 0.2)`
# is 2.2235.
#
# </details>
#
# ## 28. What we have
#
# One model, trained twice: by counting, and by following the gradient of one loss. Sampled twice, with the same names.
# Scored with one number, 2.4540 nats per character. And a way of working in JAX: pure functions, keys, one compiled
# loop.
#
# Three questions, each answered by one changed number:
#
# 1. In section 25, how many steps without the penalty does it take until the five names agree? (Change 300.)
# 2. In section 21, which is the largest rate that still ends below 2.5 after 100 steps? (Change 200.0 in `rates`.)
# 3. In section 27, what is left of the trigram's gain if it is trained on a tenth of the words? (Count
#    `split.train[:2563]`.)
#
# <details><summary>Answers</summary>
#
# (1) Between 200 and 250. (2) About 130, with 2.4983; 140 gives 2.5139. It is not monotone at the edge: 110 gives
# 2.5094. (3) Dev 2.3345 in place of 2.2223, against 2.4533 of the bigram: half of the gain.
#
# </details>
#
# On: [part 2, the MLP](lecture_2_mlp.ipynb), three characters of context and bigger networks, trained with the same
# loss function; [all notebooks](README.md#the-lectures-step-by-step). To read: the
# [lecture](https://www.youtube.com/watch?v=PaCmpygFfXo); Bengio et al., [A Neural Probabilistic Language
# Model](https://www.jmlr.org/papers/v3/bengio03a.html), which part 2 builds; [Thinking in
# JAX](https://docs.jax.dev/en/latest/notebooks/thinking_in_jax.html); Maddison et al., [A*
# Sampling](https://arxiv.org/abs/1411.0030), on Gumbel-max.
#
# ## All figures
#
# "lecture": printed in the lecture or its public notebook. "ours": computed for this notebook. "draws lost": the
# lecture drew without a seed, so its figure and ours stand side by side, unchecked.

# %%
figures.show("lecture_1_bigrams", globals())
