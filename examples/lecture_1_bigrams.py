# %% [markdown]
# # makemore, part 1: bigrams
#
# Every step of the first lecture, in its order, in JAX: count pairs of characters, sample names from the counts, give
# the model a score; then reach the same model a second time, as a neural network trained by gradient descent.
#
# - **Read it** here: all outputs and pictures are on the page.
# - **Run it**: `pip install -e '.[notebooks]'`, then `jupyter lab examples/lecture_1_bigrams.ipynb`.
#   It is a script as well: `python examples/lecture_1_bigrams.py`.
# - **The words** are those of `names.txt` if it is found or can be downloaded, otherwise the given names bundled with
#   mm_jax. Whatever the text says about particular counts, losses and names holds for `names.txt`.
# - **The figures.** The last cell is a table of all of them: "lecture" if the lecture prints it, "ours" if it was
#   computed for this notebook. The cell fails if a figure is outside its tolerance.
# - **Random numbers.** The lecture draws them from torch. They are stored beside this notebook, so its very names
#   can be recomputed. Our own draws use JAX's keys.

# %%
import math
import textwrap
from collections import Counter

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from figures import Figures, columns, stored

import mm_jax
from mm_jax import plotting

plt.rcParams.update({"figure.dpi": 90, "figure.constrained_layout.use": True})
np.set_printoptions(precision=4, suppress=True, linewidth=84)
torch_numbers = stored()

# %% [markdown]
# ## 1. The words
#
# makemore makes more of whatever it is given: one example a line, and it learns to write lines like them. Given names,
# it invents words that sound like names and are not in the list: *dontel*, *irot* and *zhendi* are examples from the
# lecture, made by a bigger network.
#
# It is a *character-level* model. Each line is one example, and an example is a sequence of characters: *Reese* is
# R, e, e, s, e. The model learns one thing: which character comes next.
#
# The road: this notebook takes the simplest model, the bigram. Part 2 is the multi-layer perceptron (MLP), and
# `lecture_6_whole_words` goes on to bag of words, RNN, GRU and transformer - the kind of network that GPT-2 is. The
# same idea then carries from characters to words, documents, and images with text.

# %%
words = mm_jax.load_words()
figures = Figures(words)
print(*words[:10], sep="\n")

# %%
lengths = [len(word) for word in words]
print(f"{len(words):,} words, {len(set(words)):,} of them different")
print(f"the shortest has {min(lengths)} characters, the longest {max(lengths)}")

figures.add("words", 32_033, len(words))
figures.add("shortest and longest word", "2, 15", f"{min(lengths)}, {max(lengths)}")
figures.add("different words", 29_494, len(set(words)), printed=False)

# %% [markdown]
# One word holds many examples. *isabella* says: i is a likely first character; s is likely after i; a after is; b after
# isa; and so on; and after isabella the word is likely to end. Eight letters, nine facts.

# %%
facts = [("isabella"[:i] or "(start)", ("isabella" + ".")[i]) for i in range(len("isabella") + 1)]
for seen, following in facts:
    print(f"{seen:>9} -> {'(end)' if following == '.' else following}")

figures.add("facts in isabella", 9, len(facts), names=False)

# %% [markdown]
# The **bigram model** looks at one character only, the one just before, and forgets everything earlier. It is a weak
# model. It is also one that can be understood completely, which makes it a good start.
#
# ## 2. Pairs
#
# `zip(word, word[1:])` pairs a word with itself shifted by one place. The two are of different length: `zip` stops
# where the shorter one ends.

# %%
for first, second in zip("emma", "emma"[1:], strict=False):
    print(first, second)

# %% [markdown]
# Two facts are missing: e is the first letter, a the last. A start token and an end token around the word add them.


# %%
def pairs_of(word: str) -> list[tuple[str, str]]:
    tokens = ["<S>", *word, "<E>"]
    return list(zip(tokens, tokens[1:], strict=False))


for word in words[:3]:
    print(f"{word:8}", *(first + " " + second for first, second in pairs_of(word)), sep="   ")

# %%
pairs = [pair for word in words for pair in pairs_of(word)]
first_16 = sum(len(pairs_of(word)) for word in words[:3])
print(f"pairs of the first three words: {first_16}")
print(f"pairs of all words: {len(pairs):,}")

figures.add("pairs of emma", 5, len(pairs_of("emma")), names=False)
figures.add("pairs of the first three words", 16, first_16)
figures.add("pairs of all words", 228_146, len(pairs))

# %% [markdown]
# ## 3. Counting with a dictionary
#
# The simplest way to learn which character follows which: count. The dictionary maps a pair to its count;
# `get(pair, 0)` reads a pair that is not there yet as 0.

# %%
tally: dict[tuple[str, str], int] = {}
for word in words[:3]:
    for pair in pairs_of(word):
        tally[pair] = tally.get(pair, 0) + 1
for pair, n in tally.items():
    print(*pair, n)

figures.add("three words: a ends a word", 3, tally[("a", "<E>")])
figures.add("three words: the other 13 pairs", "1", ", ".join({str(n) for n in tally.values() if n != 3}))

# %% [markdown]
# Over all words, with `Counter`, which does the same. Sorted by count: `key` takes the second part of an item.

# %%
tally = Counter(pairs)
by_count = sorted(tally.items(), key=lambda item: item[1], reverse=True)
print("most frequent:")
for pair, n in by_count[:10]:
    print(*pair, f"{n:,}")
print("rarest, rising:")
for pair, n in sorted(tally.items(), key=lambda item: item[1])[:6]:
    print(*pair, n)
singles = sum(n == 1 for n in tally.values())
after_a = sum(n for (first, _), n in tally.items() if first == "a")
print(f"{len(tally)} different pairs, {singles} of them occur once")
print(f"{tally['a', 'n']:,} of the {after_a:,} pairs after a are an")

frequent = "n<E> 6763 a<E> 6640 an 5438 <S>a 4410 e<E> 3983 ar 3264 el 3248 ri 3033 na 2977 <S>k 2963"
figures.add("ten most frequent pairs", frequent, " ".join(f"{a}{b} {n}" for (a, b), n in by_count[:10]))
figures.add("qr, dz", "1, 1", f"{tally['q', 'r']}, {tally['d', 'z']}")
figures.add("different pairs; those that occur once", "627, 43", f"{len(tally)}, {singles}", printed=False)

# %% [markdown]
# A dictionary of pairs is awkward to compute with. A two-dimensional array is better: **rows are the first character,
# columns the second, and an entry says how often the second follows the first.**
#
# ## 4. Arrays, and the table of 28 x 28
#
# An array of zeros, 3 by 5. Numbers are float32 unless told otherwise; counts are whole numbers, so int32.

# %%
a = jnp.zeros((3, 5))
print(a.dtype)
a = jnp.zeros((3, 5), dtype=jnp.int32)
print(a.dtype, a.shape)
print(a)

figures.add("shape and type of the array", "(3, 5) int32", f"{a.shape} {a.dtype}", names=False)

# %% [markdown]
# **JAX arrays cannot be changed.** An assignment to an entry is an error. `a.at[1, 3].set(...)` and `.add(...)` return
# a new array; bind it to the name again. Inside compiled code the compiler reuses the memory, so nothing is copied in
# vain. The reward is that a function of arrays depends on its arguments and on nothing else, and this is what makes
# `jax.grad`, `jax.jit` and `jax.vmap` possible. Indexes count from zero.

# %%
try:
    a[1, 3] = 1  # pyright: ignore
except TypeError as error:
    print(f"TypeError: {str(error)[:73]}...")
a = a.at[1, 3].set(1)
print(a)
one = int(a[1, 3])
a = a.at[1, 3].add(1)
print(a)
two = int(a[1, 3])
a = a.at[0, 0].set(5).at[1, 3].set(3)
print(a)

figures.add("entry [1, 3]: set, raised, set again", "1, 2, 3", f"{one}, {two}, {int(a[1, 3])}", names=False)
figures.add("entry [0, 0]", 5, int(a[0, 0]), names=False)

# %% [markdown]
# Tables from tokens to numbers and back. The letters: join all words, take the set of characters, sort.

# %%
letters = sorted(set("".join(words)))
stoi = {letter: i for i, letter in enumerate(letters)}
stoi["<S>"], stoi["<E>"] = 26, 27
itos = {i: token for token, i in stoi.items()}
print(len(letters), "letters")
print(textwrap.fill(str(stoi), 98))

figures.add("letters", 26, len(letters))
figures.add("numbers of a, z, <S>, <E>", "0 25 26 27", f"{stoi['a']} {stoi['z']} {stoi['<S>']} {stoi['<E>']}")

# %% [markdown]
# Now walk over all pairs. In NumPy the loop of the lecture can be written as it is. In JAX 228,146 separate updates
# would copy the table each time; gather the indexes and make **one** `.at[xs, ys].add(1)`: repeated pairs add up.

# %%
table = np.zeros((28, 28), dtype=np.int32)
for first, second in pairs:
    table[stoi[first], stoi[second]] += 1

xs = jnp.array([stoi[first] for first, _ in pairs])
ys = jnp.array([stoi[second] for _, second in pairs])
N28 = jnp.zeros((28, 28), dtype=jnp.int32).at[xs, ys].add(1)
print("the loop and the one update agree:", bool((table == N28).all()))
print("upper left corner, a to j:")
print(N28[:10, :10])

figures.add("28 x 28 table, a to j", torch_numbers["printed_N28_10x10"], N28[:10, :10])

# %% [markdown]
# An entry of an array is an array itself, without dimensions. `int(...)` or `.item()` takes the plain number out.

# %%
entry = N28[0, 1]
print(repr(entry), entry.shape, entry.item())

# %% [markdown]
# ## 5. Pictures of the table
#
# First the bare heat map: something is there, but nothing can be read off.

# %%
figure, ax = plt.subplots(figsize=(4, 4))
_ = ax.imshow(N28)

# %% [markdown]
# Then one that can be read: each cell names its pair and says its count. (The darkness here goes with the root of the
# count. With the count itself three cells are dark and all others look empty.)

# %%
tokens28 = [itos[i] for i in range(28)]
short = [token.strip("<>") if len(token) > 1 else token for token in tokens28]
figure, ax = plt.subplots(figsize=(11, 11))
_ = plotting.table(N28, short, ax)

# %% [markdown]
# What is wasteful: the row of `<E>` is all zero, for nothing follows an end. The column of `<S>` is all zero, for
# nothing comes before a start. Of the four cells where the two meet, only start-then-end could be other than zero, for
# an empty word; there is none.

# %%
print(f"row <E> {N28[27].sum()}, column <S> {N28[:, 26].sum()}, corner {N28[26:, 26:].sum()}")

figures.add(
    "sums of row <E>, column <S>, corner", "0, 0, 0", f"{N28[27].sum()}, {N28[:, 26].sum()}, {N28[26:, 26:].sum()}"
)

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

stream = [stoi[char] for word in words for char in word + "."]
xs, ys = np.array([0, *stream[:-1]]), np.array(stream)
N = jnp.zeros((27, 27), dtype=jnp.int32).at[xs, ys].add(1)
print(f"shape {N.shape}, sum {N.sum():,}, dot after dot {N[0, 0]}")

figures.add("numbers of ., a, z", "0 1 26", f"{stoi['.']} {stoi['a']} {stoi['z']}")
figures.add("sum of the 27 x 27 table", 228_146, int(N.sum()))
figures.add("dot after dot", 0, int(N[0, 0]))

# %% [markdown]
# All words are now one stream, `.emma.olivia.ava.`, and every neighbouring pair of the stream is a bigram. mm_jax
# counts the same way:

# %%
vocab = mm_jax.Vocab.from_words(words)
counts = mm_jax.counts.fit(words, vocab)
print(vocab.chars)
print("the same table:", bool((counts.N == N).all()))

# %% [markdown]
# Row 0 says how often each letter is the first, column 0 how often it is the last.

# %%
print("first:", N[0])
print("last: ", N[:, 0])

figures.add("row 0: first letters", torch_numbers["printed_N_row0"], N[0])
figures.add("sum of row 0", 32_033, int(N[0].sum()), printed=False)

# %%
figure, ax = plt.subplots(figsize=(11, 11))
_ = plotting.count_table(counts, ax)

# %% [markdown]
# This table is all that is needed to sample from the bigram model.
#
# ## 7. Sampling from a distribution
#
# Row 0 as `N[0]` or `N[0, :]`. Divided by its sum it is a probability distribution. (JAX divides whole numbers to
# float32 by itself.)

# %%
p = N[0] / N[0].sum()
print(N[0].shape, p.dtype, f"sum {p.sum():.4f}")
print(p)

figures.add("row 0 as probabilities", torch_numbers["printed_P_row0"], p, 5.1e-5)

# %% [markdown]
# ### Random numbers with keys
#
# torch hides the state of its generator: each draw changes it, and the same line run twice gives different numbers. The
# lecture starts a generator at 2147483647, so that everyone sees the same. **JAX has no hidden state.** Every draw is a
# function of a key: the same key, the same numbers. For new numbers split the key first, and use each key once.

# %%
key = jax.random.key(2147483647)
print("key:       ", jax.random.uniform(key, (3,)))
print("key again: ", jax.random.uniform(key, (3,)))
key, draw_key = jax.random.split(key)
print("split:     ", jax.random.uniform(draw_key, (3,)))
key, draw_key = jax.random.split(key)
print("and again: ", jax.random.uniform(draw_key, (3,)))

# %% [markdown]
# The lecture's three numbers, stored, and made into a distribution:

# %%
three = jnp.array(torch_numbers["three_uniforms"])
q = three / three.sum()
print(three, f"sum {three.sum():.4f}")
print(q)

figures.add("three random numbers", np.array([0.7081, 0.3542, 0.1054]), three, 5.1e-5, names=False)
figures.add("their sum", 1.1678, float(three.sum()), 5.1e-5, names=False)
figures.add("normalised", np.array([0.6064, 0.3033, 0.0903]), q, 5.1e-5, names=False)

# %% [markdown]
# ### How a draw works
#
# Lay the probabilities end to end on a line from 0 to 1. A uniform random number falls into one of the pieces, into
# each as often as it is long: its number is the draw. The ends of the pieces are the cumulative sum. torch's
# `multinomial` did this in the lecture, so its uniform numbers give its draws.


# %%
def draw(p, uniforms):
    """The index of the piece that each number falls into; p need not sum to 1."""
    ends = np.cumsum(np.asarray(p, np.float64))
    return np.searchsorted(ends / ends[-1], uniforms)


twenty = draw(q, torch_numbers["cdf_uniforms_20_draws"])
fifty = draw(q, torch_numbers["cdf_uniforms_50_draws"])
print("ends of the pieces:", np.cumsum(q))
print("20 draws:", twenty)
print("50 draws:", fifty)

lecture_20 = "1 1 2 0 0 2 1 1 0 0 0 1 1 0 0 1 1 0 0 1"
lecture_50 = "0 2 0 0 1 0 0 1 0 0 0 1 1 1 0 1 1 0 0 1 1 1 0 1 1 0 1 1 0 2" + 10 * " 0" + " 1 1" + 8 * " 0"
figures.add("20 draws", np.array(lecture_20.split(), int), twenty, names=False)
figures.add("50 draws", np.array(lecture_50.split(), int), fifty, names=False)

# %% [markdown]
# The more draws, the nearer the shares come to the probabilities. In JAX `jax.random.choice` takes probabilities and
# `jax.random.categorical` takes their logarithms. Both put a drawn item back ("with replacement"); torch does so only
# if asked.


# %%
def shares(draws):
    return np.bincount(np.asarray(draws), minlength=3) / len(draws)


print("probabilities     ", np.asarray(q))
print("20 of the lecture ", shares(twenty))
print("50 of the lecture ", shares(fifty))
for n, draw_key in zip((50, 5_000, 500_000), jax.random.split(key, 3), strict=True):
    print(f"{n:<7,} in JAX    ", shares(jax.random.categorical(draw_key, jnp.log(q), shape=(n,))))

figures.add("shares of 20", np.array([0.45, 0.45, 0.1]), shares(twenty), 1e-9, names=False)
figures.add("shares of 50", np.array([0.64, 0.32, 0.04]), shares(fifty), 1e-9, names=False)

# %% [markdown]
# ### The first letter
#
# One draw from row 0, from number to letter. A fresh torch generator gives 13, m. After the draws above the same
# generator gives 19, s: hidden state at work.

# %%
fresh = int(draw(p, torch_numbers["cdf_uniforms"][0]))
used = int(draw(p, torch_numbers["cdf_uniform_first_letter"][0]))
print(fresh, itos[fresh], "with a fresh generator;", used, itos[used], "with the used one")
m = stoi["m"]
print(f"m begins {N[0, m]:,} names, {N[0, m] / N[0].sum():.1%}")
print(f"next, the row of m: ends {N[m, 0]} times, a follows {N[m, 1]:,} times, b {N[m, 2]} times")

figures.add("first letter, fresh generator", "13 m", f"{fresh} {itos[fresh]}")
figures.add("first letter, used generator", "19 s", f"{used} {itos[used]}")
figures.add("names that begin with m", 2538, int(N[0, m]))
figures.add("m ends a name", 516, int(N[m, 0]))
figures.add("ma, mb", "2590, 112", f"{N[m, 1]}, {N[m, 2]}", printed=False)

# %% [markdown]
# ## 8. The sampling loop
#
# Start at the dot. Take the row of the character, make it a distribution, draw the next character, append it; stop when
# the dot comes. (While you write such a loop, limit it: with a mistake in the table it may never end.)


# %%
def sample_name(N, key, longest=100):
    name, ix = "", 0
    while len(name) < longest:
        p = N[ix] / N[ix].sum()
        key, draw_key = jax.random.split(key)
        ix = int(jax.random.categorical(draw_key, jnp.log(p)))
        if ix == 0:
            break
        name += itos[ix]
    return name


for name_key in jax.random.split(jax.random.key(1), 10):
    print(sample_name(N, name_key))

# %% [markdown]
# The lecture's names come out of its uniform numbers: the same loop, one stored number a letter.


# %%
def names_from(P, uniforms):
    """The names that a table spells with these numbers; several names, each ended by its dot."""
    names, ix = [""], 0
    for u in uniforms:
        ix = int(draw(P[ix], u))
        names[-1] += itos[ix]
        if ix == 0:
            names.append("")
    return names[:-1]


counted = np.asarray(N)
lecture_names = names_from(counted, torch_numbers["cdf_uniforms_names_table"])
fresh_names = names_from(counted, torch_numbers["cdf_uniforms"])[:10]
print(*lecture_names, sep="\n")
print("\nwith a fresh generator:")
print(*fresh_names, sep="\n")

figures.add("ten names", "blon. ke. a. ry. l. balycaweriginnn. data. bh. matt. jeeve.", " ".join(lecture_names))
figures.add("a whole name, fresh generator", "h.", fresh_names[7])
fresh_expected = "mor. axx. minaymoryles. kondlaisah. anchshizarie. odaren. iaddash. h. jhinatien. egushl."
figures.add("ten names, fresh generator", fresh_expected, " ".join(fresh_names), printed=False)

# %% [markdown]
# These names are bad, and not because of a bug. The model *is* bad: `h.` can be a whole name, because at h the model no
# longer knows that h was the first letter. It only knows that names often end in h.
#
# Compare it with a model that knows nothing, for which all 27 are equally likely:

# %%
uniform_names = names_from(np.ones((27, 27)), torch_numbers["cdf_uniforms_names_uniform"])
print(*uniform_names, sep="\n")

uniform_expected = (
    "wwjieqrrlvhtwogbqtwrmcjpnvrkifgnsgfvp. kynsszpvqzmmwpogyzdhpfapyhlqdxcvczntn. . . rxnsmepegjipknhbzrrz. "
    "kgkznqqzsdaacfanvedfjga. ycgfsirvvmcrvssnqjbjuqfzanulmxxkseuktjmbhn. x. wsuzuxkneqmel. "
    "qrbcskqqopeqbkuidxrnmyyfvysdxvfwix."
)
figures.add("names of the uniform model", uniform_expected, " ".join(uniform_names))

# %% [markdown]
# Clearly worse: the bigram model has learned something.
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

shapes = [N.sum(0, keepdims=True).shape, N.sum(1, keepdims=True).shape, N.sum(0).shape, N.sum(1).shape]
figures.add("shapes of the sums", "(1, 27) (27, 1) (27,) (27,)", " ".join(map(str, shapes)), names=False)

# %% [markdown]
# A curious thing: row sums and column sums are equal. This is not chance. With a dot at both ends, every character
# that is the second of one pair is the first of the next.

# %%
print("row sums:   ", N.sum(1))
print("column sums:", N.sum(0))

figures.add("row sums and column sums", N.sum(1), N.sum(0), names=False)

# %% [markdown]
# **The rule of broadcasting.** Write the two shapes below each other, lined up at the *right*. Going left, each pair of
# sizes must be equal, or one of them 1, or missing. A size of 1 is stretched; a missing axis is put in front, as 1.
#
#     N                        27, 27           N              27, 27
#     N.sum(1, keepdims=True)  27,  1           N.sum(1)           27   read as 1, 27
#     result                   27, 27           result         27, 27
#
# Left, the *column* of row sums is repeated across all 27 columns: each row is divided by its own sum. Right, the sums
# have become a *row*, which is repeated down all 27 rows: column j is divided by the sum of row j. Both run without a
# complaint.

# %%
P = N / N.sum(1, keepdims=True)
wrong = N / N.sum(1)
print(f"right: row 0 sums to {P[0].sum():.4f}")
print(f"wrong: row 0 sums to {wrong[0].sum():.4f}, column 0 to {wrong[:, 0].sum():.4f}")
print("all entries equal:", bool((wrong == P).all()))

figures.add("sum of row 0, right", 1.0, float(P[0].sum()), 1e-6)
figures.add("sum of row 0, wrong (prints 7)", 7.0225, float(wrong[0].sum()), 5e-4)
figures.add("sum of column 0, wrong", 1.0, float(wrong[:, 0].sum()), 1e-6)
figures.add("right and wrong table equal", "False", str(bool((wrong == P).all())))

# %% [markdown]
# That the wrong *columns* sum to exactly 1 is owed to the curious fact above. And the names:

# %%
right_names = names_from(P, torch_numbers["cdf_uniforms_names_rows"])
wrong_names = names_from(wrong, torch_numbers["cdf_uniforms_names_columns"])
print("from the right table:", *right_names, sep="\n")
print("\nfrom the wrong table:", *wrong_names, sep="\n")

right_expected = "ele. zelensskan. a. ilelena. arah. lizanolbraris. sil. kyliketo. asonnngaeyja. an."
wrong_expected = (
    "cishwambitzuruvefaum. ajorun. xilinnophajorovebrglmivoublicckyle. joyquwasooxxentomprtyuquviequzaq. "
    "juxtrcoxluckyjayspttycelllwyddstotyphaxxxwecquxzikoququzynikoposylixxuffruedrkowh. ju. "
    "ixxxisrielyavrhmidexytzrohauxiexxxxxxzurefffaigtzuzzantallyojoxxxt. oprghah. stzldouwinolyselppp. j."
)
figures.add("names of the right table", right_expected, " ".join(right_names))
figures.add("names of the wrong table", wrong_expected, " ".join(wrong_names))

# %% [markdown]
# Full of x, q, z and j: their counts were divided by their own small sums, so rare letters are drawn far too often.
#
# Respect broadcasting: look at shapes, check sums. JAX can also refuse it. With rank promotion forbidden an axis is
# never put in front silently; all tests of this project run so. (The lecture then divides in place, to save an array.
# JAX has no in-place arithmetic; under `jit` the compiler reuses the memory.)

# %%
with jax.numpy_rank_promotion("raise"):
    try:
        N / N.sum(1)
    except ValueError as error:
        print(f"ValueError: {str(error).split(' and with')[0]}")

# %% [markdown]
# ## 10. Likelihood: one number for quality
#
# Training was counting and normalising. The 729 entries of P are the **parameters** of the model. Sampling feeds each
# drawn letter back in. Now we want one number that says how good the model is. Here is the probability it gives to
# each pair of the first three words:

# %%
log_likelihood, n = 0.0, 0
pair_probs = []
print("pair  probability  log")
for word in words[:3]:
    for first, second in zip("." + word, word + ".", strict=True):
        prob = P[stoi[first], stoi[second]]
        pair_probs.append(float(prob))
        log_likelihood += float(jnp.log(prob))
        n += 1
        print(f"{first}{second}    {prob:.4f}       {jnp.log(prob):7.4f}")
print(f"likelihood                 {math.prod(pair_probs):.3g}")
print(f"log likelihood             {log_likelihood:.4f}")
print(f"negative log likelihood    {-log_likelihood:.4f}")
print(f"average, {n} pairs          {-log_likelihood / n:.4f}")

lecture_probs = "0478 0377 0253 3899 1960 0123 0780 1777 0152 3541 1381 1960 1377 0246 2495 1960"
lecture_logs = (
    "3.0408 3.2793 3.6772 0.9418 1.6299 4.3982 2.5508 1.7278 4.1867 1.0383 1.9796 1.6299 1.9829 3.7045 1.3882 1.6299"
)
figures.add("16 probabilities", np.array(lecture_probs.split(), float) / 1e4, np.array(pair_probs), 5.1e-5)
figures.add("16 logs", -np.array(lecture_logs.split(), float), np.log(pair_probs), 5.1e-5)
figures.add("log likelihood of three words", -38.7856, log_likelihood, 5.1e-5)
figures.add("likelihood of three words", 1.43e-17, math.prod(pair_probs), 5e-20, printed=False)
figures.add("average nll of three words", 2.4241, -log_likelihood / n, 5.1e-5, printed=False)
figures.add("1/27", 0.037037037037037035, 1 / 27, names=False)

# %% [markdown]
# A model that knows nothing gives 1/27 = 0.037, about 4%, to everything. More than 4% means that something was learned;
# a perfect model would be near 1.
#
# The **likelihood** is the product of these probabilities: the probability of the data under the model. It should be
# high. It is also tiny, 1.4e-17 for three words, and soon smaller than a float can hold. So take logarithms. The log
# is 0 at probability 1 and falls without end towards probability 0; it rises all the way, so what is better stays
# better. And a product becomes a sum: log(abc) = log a + log b + log c.

# %%
figure, ax = plt.subplots(figsize=(5, 3.2))
plotting.function(np.log, 0.005, 1, ax, name="log(p)", marks=[0.04, 0.2, 0.5, 1])
_ = ax.set_xlabel("probability p")

# %% [markdown]
# The sum of the logs is the **log likelihood**; its greatest value is 0. A loss should be low when the model is good,
# so turn the sign: **negative log likelihood (nll)**, at least 0. Divided by the number of pairs it is the **average
# nll**, the number this notebook watches from here on. (38.7856 is the sum over three words, not a loss to compare.)
# Over all words:

# %%
log_P = jnp.log(P)
all_nll = -log_P[xs, ys].mean()
print(f"average nll of all {len(xs):,} pairs: {all_nll:.7f}")

added = np.float32(0)
for each in np.asarray(log_P)[xs, ys]:
    added -= each  # one float32 after another, as a Python loop over tensors adds
exact = float(-np.log(np.asarray(P, np.float64)[xs, ys]).mean())
print(f"added one by one in float32:        {added / len(xs):.7f}")
print(f"in float64:                         {exact:.7f}")
found = mm_jax.evaluate(counts, words)
print(f"mm_jax.evaluate:                    {found.nll:.7f} +- {found.stderr:.4f}")

figures.add("average nll of all words", 2.454, float(all_nll), 5.1e-5)
figures.add("the same, added one by one in float32", 2.4541, float(added / len(xs)), 5.1e-5)
figures.add("the same, in float64", 2.4540145, exact, 5e-7, printed=False)
figures.add("loss of a uniform model, ln 27", 3.2958, math.log(27), 5.1e-5, printed=False, names=False)

# %% [markdown]
# The lecture prints 2.4541: it adds 228,146 float32 numbers one by one, and the rounding errors reach the fourth digit.
# 2.4540 is right. `mm_jax.evaluate` adds a standard error, clustered by word.
#
# The chain of reasons: maximise the likelihood = maximise the log likelihood (the log only rises) = minimise the nll =
# minimise the average nll. Here the parameters stand in a table. Later a network computes them; the goal stays.
#
# ## 11. A word's own score
#
# The average nll can be taken of any word, also of one that is not in the list.


# %%
def average_nll(word, P):
    index = [stoi[char] for char in "." + word + "."]
    return float(-jnp.log(P[jnp.array(index[:-1]), jnp.array(index[1:])]).mean())


for word in ("anubhav", "andrej", "andre"):
    print(f"{word:8} {average_nll(word, P):.4f}")
e, j = stoi["e"], stoi["j"]
print(f"ej occurs {N[e, j]} times: probability {P[e, j]:.4f}, log {jnp.log(P[e, j]):.4f}")

figures.add("anubhav", 3.1186, average_nll("anubhav", P), 5.1e-5)
figures.add("andrej (about 3)", 3.0391, average_nll("andrej", P), 5.1e-5)
figures.add("andre", 2.2135, average_nll("andre", P), 5.1e-5, printed=False)
figures.add(
    "ej: count, probability, log", "55 0.0027 -5.9171", f"{N[e, j]} {P[e, j]:.4f} {jnp.log(P[e, j]):.4f}", printed=False
)

# %% [markdown]
# ## 12. Infinite loss, and smoothing
#
# A pair that never occurred has probability 0, the log of 0 is minus infinity, and the loss of the word is infinite.
# JAX says `inf` without a warning. Find the guilty pair:


# %%
def show_pairs(word, P):
    print(f"{word}: average nll {average_nll(word, P):.4f}")
    for first, second in zip("." + word, word + ".", strict=True):
        prob = P[stoi[first], stoi[second]]
        print(f"{first}{second}  {prob:.4f}  {jnp.log(prob):8.4f}")


show_pairs("anubhavm", P)
print("andrejq:", average_nll("andrejq", P), "since jq occurs", N[stoi["j"], stoi["q"]], "times")
print((N == 0).sum(), "of the", N.size, "cells are zero")


def pair_logs(word, P):
    index = np.array([stoi[char] for char in "." + word + "."])
    return np.log(np.maximum(np.asarray(P), 1e-30))[index[:-1], index[1:]]


nine = np.array([-1.9829, -1.8296, -5.2518, -3.4157, -4.1669, -1.2220, -3.7045, np.log(1e-30), -2.5551])
figures.add("anubhavm", math.inf, average_nll("anubhavm", P))
figures.add("its nine logs (vm is -inf)", nine, pair_logs("anubhavm", P), 5.1e-5)
figures.add("andrejq", math.inf, average_nll("andrejq", P))
figures.add("cells that are zero", 102, int((N == 0).sum()), printed=False)

# %% [markdown]
# A sensible name should not be impossible. **Smoothing** adds fake counts to every cell. The more fake counts, the more
# uniform the rows; the fewer, the more peaked. 1 is a decent choice. In the table above, the zero at vm becomes a 1.


# %%
def smoothed(fake):
    return (N + fake) / (N + fake).sum(1, keepdims=True)


P1 = smoothed(1)
show_pairs("anubhavm", P1)
jq = P1[stoi["j"], stoi["q"]]
print(f"jq is now {jq:.4f}, log {jnp.log(jq):.4f}")

nine = np.array([-1.9835, -1.8302, -5.2429, -3.4146, -4.1529, -1.2251, -3.7041, -7.8633, -2.5572])
figures.add("anubhavm, smoothed by 1", 3.5526, average_nll("anubhavm", P1), 5.1e-5)
figures.add("its nine logs, smoothed by 1", nine, pair_logs("anubhavm", P1), 5.1e-5)
figures.add("jq smoothed by 1, log", -7.9817, float(jnp.log(jq)), 5.1e-5, printed=False)

# %% [markdown]
# The names drawn need not change: the nudges are small. With the numbers of the fresh generator the first five are the
# same. And the price, the loss of all words as the fake counts grow:

# %%
print(
    columns(
        {
            "+0": names_from(P, torch_numbers["cdf_uniforms"])[:5],
            "+1": names_from(P1, torch_numbers["cdf_uniforms"])[:5],
        }
    )
)
print()
price = {}
for fake in (0, 1, 5, 10, 100, 1_000, 1_000_000):
    price[fake] = float(-jnp.log(smoothed(fake))[xs, ys].mean())
    print(f"+{fake:<9,}  {price[fake]:.4f}")
print(f"ln 27       {math.log(27):.4f}")

expected = np.array([2.4540, 2.4546, 2.4577, 2.4621, 2.5375, 2.8523, 3.2946])
figures.add("price of smoothing, +0 to +1,000,000", expected, np.array(list(price.values())), 6e-5, printed=False)

# %% [markdown]
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

figures.add("inputs of emma", "0 5 13 13 1", " ".join(map(str, xs_emma)))
figures.add("targets of emma", "5 13 13 1 0", " ".join(map(str, ys_emma)))

# %% [markdown]
# torch has two constructors whose names differ in a capital letter: one takes the type from the data, the other makes
# float32 of everything. JAX has no such twins: `jnp.array` of whole numbers is int32, of others float32. A float array
# used as an index is refused:

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
xenc = jax.nn.one_hot(xs_emma, 27)
print(xenc.shape, xenc.dtype)
figure, ax = plt.subplots(figsize=(9, 2.3))
_ = plotting.one_hot(xenc, [f"{char}  {int(x)}" for char, x in zip(".emma", xs_emma, strict=True)], chars, ax)

figures.add("one-hot rows", "(5, 27) float32", f"{xenc.shape} {xenc.dtype}", names=False)
figures.add("their ones", "0 5 13 13 1", " ".join(str(i) for i in xenc.argmax(1)), names=False)

# %% [markdown]
# **Indexes out of range raise no error in JAX**, since compiled code on an accelerator cannot raise one. Each function
# does something else with them. Check indexes before they go in, as mm_jax does.

# %%
print("one_hot(27, 27) is a row of zeros:  sum", jax.nn.one_hot(27, 27).sum())
print("reading takes the nearest entry:    ", jnp.arange(5)[99])
print("an update there is dropped:         ", jnp.arange(5).at[99].set(7))

# %% [markdown]
# ## 15. Neurons, and the matrix product
#
# One neuron has 27 weights, drawn from the normal distribution, and no bias. It takes the dot product with each input;
# for five inputs at once that is one matrix product, (5, 27) @ (27, 1) = (5, 1). With the weights the lecture prints:

# %%
neuron = jnp.array(torch_numbers["printed_neuron_W"], jnp.float32)[:, None]
print((xenc @ neuron).shape)
print(xenc @ neuron)

figures.add("one neuron on emma", np.array([-1.0414, 0.8326, 0.6154, 0.6154, -0.4622]), (xenc @ neuron)[:, 0], 5.1e-5)

# %%
figure, ax = plt.subplots(figsize=(5, 2.6))
_ = plotting.function(lambda x: np.exp(-(x**2) / 2) / np.sqrt(2 * np.pi), -4, 4, ax, name="the normal distribution")

# %% [markdown]
# 27 neurons are 27 columns of W: (5, 27) @ (27, 27) = (5, 27). Entry [3, 13] is what neuron 13 says to input 3: the dot
# product of row 3 and column 13. The lecture's W was drawn without a fixed seed, but it prints this column.

# %%
column_13 = jnp.array(torch_numbers["printed_W_column13"], jnp.float32)
print(f"[3, 13] by hand {xenc[3] @ column_13:.4f}, as printed {torch_numbers['printed_logits_5x27'][3, 13]:.4f}")

figures.add("entry [3, 13] by the dot product", 0.2123, float(xenc[3] @ column_13), 5.1e-5)
figures.add("entry [3, 13] of the product", 0.2123, float(torch_numbers["printed_logits_5x27"][3, 13]), 5.1e-5)

# %% [markdown]
# From here on W is what torch draws from the generator at 2147483647. In JAX one would write
# `jax.random.normal(key, (27, 27))`. The product as a picture, with the row, the column and the entry that meet:

# %%
W_start = jnp.array(torch_numbers["bigram_W"])
logits = xenc @ W_start
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
probs = fake_counts / fake_counts.sum(1, keepdims=True)
print(probs.shape, f"row 0 sums to {probs[0].sum():.4f}")
print("softmax gives the same within", f"{jnp.abs(probs - jax.nn.softmax(logits)).max():.0e}")
printed_logits = torch_numbers["printed_logits_5x27"]

figures.add("shape of the probabilities", "(5, 27)", str(probs.shape), names=False)
figures.add("row 0 sums to", 1.0, float(probs[0].sum()), 1e-6, names=False)
figures.add(
    "exp of the printed logits", torch_numbers["printed_counts_5x27"], np.exp(printed_logits), 5e-4, names=False
)

# %% [markdown]
# Again `keepdims`. Follow one example, the dot, all the way through; other weights would give other probabilities:

# %%
print("index:      ", xs_emma[0])
print("one-hot:    ", np.asarray(xenc[0], int))
print("logits:     ", logits[0], sep="\n")
print("fake counts:", fake_counts[0], sep="\n")
print("probabilities:", probs[0], sep="\n")

figures.add("probabilities of one example", "(27,)", str(probs[0].shape), names=False)

# %% [markdown]
# Exponentiate and normalise is the **softmax**. It may sit on top of any linear layer, and makes probabilities of its
# outputs. Every step - multiply, add, exp, sum, divide - can be differentiated. `jax.nn.softmax` takes the greatest
# logit away first, so that exp cannot overflow; part 2 shows why.
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

emma_nlls = np.array([4.3992743492126465, 4.014570713043213, 3.623408794403076, 2.6080667972564697, 4.2012038230896])
figures.add("nll of the five examples", emma_nlls, nlls, 5e-6, names=False)
figures.add("loss on emma", 3.7693049907684326, float(nlls.mean()), 5e-6, names=False)
figures.add("5 x 27 probabilities", torch_numbers["printed_probs_5x27"], probs, 5.1e-5, names=False)

# %% [markdown]
# Another draw of W, another loss. Where the lecture's generator had served the draws of sections 7 to 9 first, its W
# gives 3.7341; the generator one higher, 2147483648, gives 3.3771 (the lecture says 3.37).


# %%
def probs_of(W):
    return jax.nn.softmax(xenc @ W, axis=1)


W_later, W_lucky = jnp.array(torch_numbers["bigram_W_later"]), jnp.array(torch_numbers["bigram_W_2147483648"])
for name, W in (("2147483647", W_start), ("the same, used before", W_later), ("2147483648", W_lucky)):
    right = probs_of(W)[jnp.arange(5), ys_emma]
    print(f"{name:22} {right}  loss {-jnp.log(right).mean():.4f}")

figures.add(
    "5 x 27 probabilities, used generator",
    torch_numbers["printed_later_probs_5x27"],
    probs_of(W_later),
    5.1e-5,
    names=False,
)
later_nlls = np.array([4.463550567626953, 3.7830779552459717, 3.181223154067993, 4.320408821105957, 2.9221813678741455])
later = -jnp.log(probs_of(W_later)[jnp.arange(5), ys_emma])
figures.add("its five nll", later_nlls, later, 5e-6, names=False)
figures.add("its loss", 3.734088182449341, float(later.mean()), 5e-6, names=False)
lucky = -jnp.log(probs_of(W_lucky)[jnp.arange(5), ys_emma])
figures.add("loss, generator 2147483648 (3.37)", 3.3771, float(lucky.mean()), 5.1e-5, names=False)
figures.lost("losses of three other draws of W", "3.5861, 3.2332, 3.2426", "")

# %% [markdown]
# Guessing W again and again is no way to train. Start from one guess and follow the gradient. The aim is to move the
# probabilities at these five places of the output towards 1:

# %%
print("example  pair  input  label  place in probs  probability")
for i in range(5):
    x, y = int(xs_emma[i]), int(ys_emma[i])
    print(f"{i + 1:<8} {itos[x]}{itos[y]}    {x:<5}  {y:<5}  {f'[{i}, {y}]':<14}  {probs[i, y]:.4f}")

places = [[i, int(y)] for i, y in enumerate(ys_emma)]
figures.add("the five places", "[[0, 5], [1, 13], [2, 13], [3, 1], [4, 0]]", str(places), names=False)

# %% [markdown]
# ## 18. The loss in one line
#
# Name the five places one by one; or index with two arrays at once, row numbers and labels: entry i of the result is
# `probs[i, ys[i]]`. Log, mean and sign then make one line, the same number as the loop above.

# %%
print(probs[0, 5], probs[1, 13], probs[2, 13], probs[3, 1], probs[4, 0])
print(jnp.arange(5), ys_emma)
print(probs[jnp.arange(5), ys_emma])
loss_emma = -jnp.log(probs[jnp.arange(5), ys_emma]).mean()
print(f"loss {loss_emma:.7f}")

figures.add("loss in one line", 3.7693049907684326, float(loss_emma), 5e-6, names=False)

# %% [markdown]
# Compared with micrograd, the lecture before: there 4 examples, here 5. There the mean squared error, here the nll,
# because this is classification. There an MLP, here one linear layer with a softmax. There a loop over parameter
# objects, here one array. The rest is the same: forward, loss, gradient, step.
#
# ## 19. The gradient, and what its signs say
#
# torch records a graph during the forward pass; one flags W, zeroes the old gradient and calls backward. In JAX the
# loss is a plain function of W, and **`jax.value_and_grad` makes of it a function that returns the loss and the
# gradient**. Nothing to flag, nothing to zero.


# %%
def loss(W, xs, ys):
    logits = jax.nn.one_hot(xs, 27) @ W
    probs = jax.nn.softmax(logits, axis=1)
    return -jnp.log(probs[jnp.arange(len(ys)), ys]).mean()


value, gradient = jax.value_and_grad(loss)(W_start, xs_emma, ys_emma)
print(f"loss {value:.7f}, W {W_start.shape}, gradient {gradient.shape}")
print("gradient of row 0:", gradient[0], sep="\n")

figures.add("shape of the gradient", "(27, 27)", str(gradient.shape), names=False)

# %% [markdown]
# Entry [0, 0] is positive: raise this weight a little, and the loss rises a little. Try it:

# %%
nudged = loss(W_start.at[0, 0].add(0.001), xs_emma, ys_emma)
print(f"gradient[0, 0] = {gradient[0, 0]:.5f}; the nudge gives {(nudged - value) / 0.001:.4f}")
print(f"gradient[0, 5] = {gradient[0, 5]:.5f}: a larger weight from . to e lowers the loss")
print("rows that are not zero:", np.flatnonzero(jnp.abs(gradient).sum(1)), "- the inputs of emma")
by_hand = (probs[0] - jax.nn.one_hot(5, 27)) / 5
print(f"row 0 is (probability - target) / 5: off by {jnp.abs(by_hand - gradient[0]).max():.0e}")
print(f"and sums to {gradient[0].sum():.4f}")

figures.add("gradient at [0, 0]", 0.0121, float(gradient[0, 0]), 5.1e-5, printed=False, names=False)
figures.add("gradient at [0, 5]", -0.1975, float(gradient[0, 5]), 5.1e-5, printed=False, names=False)
printed_row = torch_numbers["printed_gradient_row0"]
figures.add(
    "printed row 0: sum, negative entries",
    "-0.0004, [5]",
    f"{printed_row.sum():.4f}, {np.flatnonzero(printed_row < 0)}",
    names=False,
)

# %% [markdown]
# A step nudges each weight *against* its gradient, so that the five right probabilities rise and the loss falls.
#
# ## 20. Update steps
#
# Three lines: loss and gradient, step, and again. torch writes into `W.data`; JAX binds the name W to a new array.

# %%
W = W_start
emma_losses = []
for _ in range(10):
    value, gradient = jax.value_and_grad(loss)(W, xs_emma, ys_emma)
    W = W - 0.1 * gradient
    emma_losses.append(float(value))
print(*(f"{value:.4f}" for value in emma_losses))

three_losses = np.array([3.7693049907684326, 3.7492129802703857, 3.7291626930236816])
figures.add("emma: losses of three steps", three_losses, emma_losses[:3], 5e-6, names=False)
ten = np.array([3.7693, 3.7492, 3.7292, 3.7092, 3.6892, 3.6693, 3.6494, 3.6296, 3.6098, 3.5900])
figures.add("emma: losses of ten steps", ten, emma_losses, 6e-5, printed=False, names=False)
figures.lost("emma: three steps from another W", "4.3984, 4.3766, 4.3549", "")

# %% [markdown]
# `mm_jax.fit` runs these three lines many times in one compiled call. The same losses:

# %%
net = mm_jax.Bigram(W=W_start, vocab=vocab)
_, history = mm_jax.fit(net, ["emma"], jax.random.key(0), steps=10, batch_size=None, learning_rate=0.1)
print(*(f"{value:.4f}" for value in history.loss))

figures.add("emma: losses of fit", np.array(emma_losses), history.loss, 2e-6, printed=False, names=False)

# %% [markdown]
# ## 21. All words
#
# Nothing changes but the data: 228,146 pairs for five. `jax.jit` compiles the step. Hand the data in as arguments:
# arrays that a compiled function picks up from outside become constants of the program, and compiling it takes long.


# %%
@jax.jit
def step(W, xs, ys, rate):
    value, gradient = jax.value_and_grad(loss)(W, xs, ys)
    return W - rate * gradient, value


W, all_xs, all_ys = W_start, jnp.array(xs), jnp.array(ys)
print(f"{len(xs):,} examples")
by_examples = []
for _ in range(5):
    W, value = step(W, all_xs, all_ys, 50.0)
    by_examples.append(float(value))
print("from the examples:", *(f"{value:.4f}" for value in by_examples))

# %% [markdown]
# All these examples are only 729 different pairs. The loss needs each pair once, times its count: the same number and
# the same gradient from the table N, thousands of times faster. `mm_jax.fit(..., batch_size=None)` works so.


# %%
def loss_from_counts(W, N):
    return -(N * jax.nn.log_softmax(W, axis=1)).sum() / N.sum()


value, gradient = jax.value_and_grad(loss)(W_start, all_xs, all_ys)
short_value, short_gradient = jax.value_and_grad(loss_from_counts)(W_start, N)
print(f"loss {value:.5f} and {short_value:.5f}; gradients differ by {jnp.abs(gradient - short_gradient).max():.0e}")


def train(steps, rate, l2=0.0, start=net, words=words):
    """Full-batch training; the trained model, and the loss before each step."""
    model, history = mm_jax.fit(
        start, words, jax.random.key(0), steps=steps, batch_size=None, learning_rate=rate, l2=l2
    )
    return model, history.loss


_, by_fit = train(5, 50.0)
print("from the counts:  ", *(f"{value:.4f}" for value in by_fit))

figures.add("fit on all words = the loop", np.array(by_examples), by_fit, 5e-5, printed=False)

# %% [markdown]
# ### Which learning rate?
#
# On emma 0.1 was fine. On all words the loss hardly moves with it: the gradient is an average over many examples, and
# each weight belongs to few of them. Far larger rates work, even 50.

# %%
rates = {}
print("rate     step 0   step 9   step 99")
for rate in (0.1, 1.0, 10.0, 50.0, 100.0, 200.0):
    rates[rate] = train(100, rate)[1]
    print(f"{rate:<7g}  {rates[rate][0]:.4f}   {rates[rate][9]:.4f}   {rates[rate][99]:.4f}")

figures.add("loss before step 0", 3.7590, float(rates[0.1][0]), 6e-5, printed=False)
figures.add("rate 0.1, steps 9, 99", np.array([3.7508, 3.6733]), rates[0.1][[9, 99]], 6e-5, printed=False)
figures.add("rate 1, steps 9, 99", np.array([3.6806, 3.1887]), rates[1.0][[9, 99]], 6e-5, printed=False)
figures.add("rate 10, steps 9, 99", np.array([3.2154, 2.5764]), rates[10.0][[9, 99]], 6e-5, printed=False)
figures.add("rate 50, steps 9, 99", np.array([2.7115, 2.4729]), rates[50.0][[9, 99]], 6e-5, printed=False)
figures.add("rate 100, steps 9, 99", np.array([2.6075, 2.4863]), rates[100.0][[9, 99]], 6e-5, printed=False)

# %%
figure, ax = plt.subplots(figsize=(7, 4))
for rate, values in rates.items():
    ax.plot(values, label=f"rate {rate:g}")
ax.set(xlabel="step", ylabel="nats per character")
ax.grid(alpha=0.3)
_ = ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1))

# %% [markdown]
# At 200 the steps overshoot: the loss jumps about near 3 and stays there. At 100 it still works, with jumps up now and
# then: the edge of stability. The lecture compares 1, 10 and 100 for ten steps from a W drawn without a seed, and runs
# 100 steps at 10; from our W the digits differ and the picture is the same.

# %%
for rate in (1, 10, 100):
    print(f"rate {rate:<4} printed {torch_numbers[f'printed_losses_rate_{rate}']}")
    print(f"{'':9} here    {rates[rate][:10]}")

for rate, printed in ((1, "3.7543 ... 3.6840"), (10, "3.7679 ... 3.2681"), (100, "3.8536 ... 2.6044")):
    figures.lost(f"ten steps at rate {rate}", printed, f"{rates[rate][0]:.4f} ... {rates[rate][9]:.4f}")
figures.lost("100 steps at rate 10", "3.9659 ... 2.5698", f"{rates[10.0][0]:.4f} ... {rates[10.0][99]:.4f}")

# %% [markdown]
# ### 100 steps at rate 50
#
# The lecture's run, with 0.01 times the mean of W squared added to the loss (section 23 says why). All 100 losses agree
# to four decimals with the printed ones.

# %%
trained, losses = train(100, 50.0, l2=0.01)
for i in range(0, 100, 10):
    print(f"step {i:2}  " + " ".join(f"{value:.4f}" for value in losses[i : i + 10]))
data_part = mm_jax.evaluate(train(99, 50.0, l2=0.01)[0], words).nll
print(f"the last one without the penalty: {data_part:.4f}")

figures.add("100 losses at rate 50, penalty 0.01", torch_numbers["printed_losses_100"], losses, 1e-4)
figures.add("the last one without the penalty", 2.4750, data_part, 6e-5, printed=False)
figures.add("first and last", np.array([3.7686, 2.4901]), losses[[0, 99]], 5.1e-5)

# %%
figure, ax = plt.subplots(figsize=(7, 4))
_ = plotting.losses(losses, ax, smooth=1, lines={"ln 27, knowing nothing": math.log(27), "counting": float(all_nll)})

# %% [markdown]
# The curve does not end at 2.49: it is still falling, and 2.4901 contains the penalty. What should we expect? The loss
# of the counting model, 2.4540, reached from above: counting *is* the minimum of this loss. Without the penalty:

# %%
_, long = train(3_000, 50.0)
for steps in (10, 100, 200, 400, 1_000, 3_000):
    print(f"{steps:>5,} steps  {long[steps - 1]:.4f}")

figures.add("before step 99 (2.47)", 2.4729, float(long[99]), 5.1e-5)
figures.add("before step 199 (2.46)", 2.4624, float(long[199]), 5.1e-5)
figures.add("after 400 steps (2.45)", 2.4578, float(long[399]), 2e-4)
figures.add("after 3,000 steps", 2.4544, float(long[2999]), 6e-5, printed=False)

# %% [markdown]
# Why descend if one can count? Here counting suffices, since the problem is so simple. Descent goes much further: to
# more characters of context, to bigger networks, up to transformers. Only the way to the logits changes; softmax, nll
# and the steps stay as they are.
#
# ## 22. One-hot times W is a row of W
#
# A one-hot row with its 1 at place 5 picks row 5 of W. So `xenc @ W` is `W[xs]`: the network looks up a row, as the
# counting model did. (On an accelerator a matrix product may round; a lookup never does.)

# %%
print("xenc @ W == W[xs]:", bool((xenc @ W_start == W_start[xs_emma]).all()))

# %% [markdown]
# So exp(W) plays the part of the table of counts, and **W holds log counts**. One was counted, the other found by
# following the loss. They agree up to a factor for each row, which normalising removes; take the mean off each row of
# logs to see it. The row of a, after 100 and after 3,000 steps without the penalty:

# %%
after_100, after_3000 = train(100, 50.0)[0], train(3_000, 50.0)[0]
log_N = jnp.log(jnp.maximum(N, 1))
print("after a   log count   W, 100 steps   W, 3,000 steps   (means taken off)")
shown = [stoi[char] for char in ".nlriq"]
for i in shown:
    row = [float(table[1, i] - table[1, jnp.array(shown)].mean()) for table in (log_N, after_100.W, after_3000.W)]
    print(f"a{itos[i]}        {row[0]:8.2f}   {row[1]:11.2f}   {row[2]:13.2f}")

# %% [markdown]
# Rare rows learn slowly, because few examples pull at them. After q almost always comes u:

# %%
learned = jax.nn.softmax(trained.W, axis=1)
q_, u_ = stoi["q"], stoi["u"]
print(f"P(u after q): counted {P[q_, u_]:.4f}, W after 100 steps {learned[q_, u_]:.4f}, "
      f"after 3,000 {jax.nn.softmax(after_3000.W, axis=1)[q_, u_]:.4f}")  # fmt: skip
figure, axes = plt.subplots(1, 2, figsize=(10, 5.2))
for ax, title, shown_P in zip(axes, ("P, counted", "softmax(W), 100 steps"), (P, learned), strict=True):
    plotting.heat_map(shown_P, chars, ax, limit=0.5)
    ax.set_title(title)

figures.add("P(u after q), counted", 0.7574, float(P[q_, u_]), 5.1e-5, printed=False)
figures.add("P(u after q), trained", 0.3548, float(learned[q_, u_]), 6e-5, printed=False)

# %% [markdown]
# ## 23. Regularisation
#
# With W = 0 all logits are equal, and so are all probabilities. A million fake counts in each cell do the same to the
# table, whose greatest count is 6,763. (Any W that is constant along each row does the same.)

# %%
zero = jnp.zeros((27, 27))
print(jax.nn.softmax(xenc @ zero, axis=1)[0, :5], f"loss {loss(zero, xs_emma, ys_emma):.4f}")
million = smoothed(1_000_000)[0]
print(f"a million fake counts: row 0 lies between {million.min():.5f} and {million.max():.5f}")

figures.add("loss at W = 0", 3.2958, float(loss(zero, xs_emma, ys_emma)), 5.1e-5, printed=False, names=False)
figures.add("probability at W = 0", 1 / 27, float(jax.nn.softmax(xenc @ zero, axis=1)[0, 0]), 1e-7, names=False)
figures.add(
    "row 0 with a million fake counts",
    np.array([0.03699, 0.03716]),
    np.array([million.min(), million.max()]),
    1e-5,
    printed=False,
)

# %% [markdown]
# So pulling W towards 0 is the network's version of adding fake counts: the stronger the pull, the smoother the
# distribution. The two do the same kind of thing, not exactly the same thing. Add to the loss a strength times the mean
# of the 729 squares: 0 only at W = 0, a spring that pulls back. Squaring removes the signs. Too strong, and all is
# uniform; too weak, and nothing happens. One more term in the loss:


# %%
def penalised_loss(W, N, l2):
    return loss_from_counts(W, N) + l2 * (W**2).mean()


print(f"mean of W squared at the start: {(W_start**2).mean():.4f}")
print(f"loss {loss_from_counts(W_start, N):.4f}, with 0.01 of it added {penalised_loss(W_start, N, 0.01):.4f}")

figures.add("mean of W squared, start", 0.9665, float((W_start**2).mean()), 5.1e-5, printed=False, names=False)
figures.add("penalised loss at the start", 3.7686, float(penalised_loss(W_start, N, 0.01)), 6e-5)
figures.lost("mean of W squared, another W", "0.9617", "")

# %% [markdown]
# What each strength costs, **trained to the end**: 20,000 steps each, at a rate that is stable for it (a strong spring
# is stiff, and needs small steps). Beside it the fake counts. In both columns more means nearer to ln 27 = 3.2958.


# %%
def distance_from_uniform(P):
    return float(jnp.abs(P - 1 / 27).sum(1).mean())


converged = {}
print("penalty   rate    data loss   distance of the rows from uniform")
for l2 in (0.0, 0.01, 0.1, 1.0, 10.0):
    rate = min(25.0, 50.0 / (1 + 10 * l2))
    model, _ = train(20_000, rate, l2=l2)
    converged[l2] = mm_jax.evaluate(model, words).nll
    far = distance_from_uniform(jax.nn.softmax(model.W, axis=1))
    print(f"{l2:<8g}  {rate:5.2f}   {converged[l2]:.4f}      {far:.3f}")
print("fake counts       data loss")
for fake, value in price.items():
    print(f"{fake:<9,}         {value:.4f}      {distance_from_uniform(smoothed(fake)):.3f}")

expected = np.array([2.4541, 2.4604, 2.5033, 2.7213, 3.1314])
figures.add("penalties 0 to 10, converged", expected, np.array(list(converged.values())), 1.1e-4, printed=False)

# %% [markdown]
# The lecture compares strengths after 100 steps at rate 10, on 80% of the pairs, by the total loss. On all pairs:

# %%
strengths = {l2: float(train(100, 10.0, l2=l2)[1][99]) for l2 in (0.1, 1.0, 0.001)}
for (l2, ours), printed in zip(strengths.items(), (2.6531, 2.8925, 2.5767), strict=True):
    print(f"strength {l2:<6g} lecture {printed:.4f}   here {ours:.4f}")
    figures.lost(f"100 steps at rate 10, strength {l2:g}", f"{printed:.4f}", f"{ours:.4f}")
expected = np.array([2.6518, 2.8935, 2.5774])
figures.add("the three strengths on all pairs", expected, np.array(list(strengths.values())), 6e-5, printed=False)

# %% [markdown]
# ## 24. Names from the network
#
# The loop again, with the network in place of the table: index to one-hot, logits, exp, normalise, draw; stop at 0.
#
# Newer torch versions draw a letter in another way: 27 uniform numbers become exponentially distributed ones,
# q = -log(1 - u), and the letter is where p / q is greatest. This picks each letter with its probability, too. It is
# the Gumbel-max trick, and `jax.random.categorical` does it: argmax(logits + noise). With the stored numbers the
# lecture's names come out, letter for letter.


# %%
def names_by_argmax(row_of, uniforms, how_many=5):
    """`row_of(ix)` is the row of (fake) counts that follows character ix; one row of 27 numbers for each letter."""
    names, ix = [""], 0
    for u in uniforms:
        fake_counts = row_of(ix)
        p = fake_counts / fake_counts.sum()
        ix = int(jnp.argmax(p / -np.log1p(-u)))
        names[-1] += itos[ix]
        if ix == 0:
            names.append("")
    return names[:-1][:how_many]


def network(W):
    return lambda ix: jnp.exp(jax.nn.one_hot(ix, 27) @ W)


argmax_uniforms = torch_numbers["argmax_uniforms"]
network_names = names_by_argmax(network(trained.W), argmax_uniforms)
counts_names = names_by_argmax(lambda ix: N[ix], argmax_uniforms)
counts_names_1 = names_by_argmax(lambda ix: N[ix] + 1, argmax_uniforms)
print(columns({"network": network_names, "counts": counts_names, "counts + 1": counts_names_1}))

lecture_names = "cexze. momasurailezityha. konimittain. llayn. ka."
figures.add("names of the network", lecture_names, " ".join(network_names))
same_but_two = "cexze. momasurailezitynn. konimittain. llayn. ka."
figures.add("names of the counts", same_but_two, " ".join(counts_names), printed=False)
figures.add("names of the counts + 1", same_but_two, " ".join(counts_names_1), printed=False)
old_names = names_from(learned, torch_numbers["cdf_uniforms"])[:5]
figures.add(
    "network, numbers of section 8",
    "mor. axx. minaymoryles. kondmaisah. anchthizarie.",
    " ".join(old_names),
    printed=False,
)

# %% [markdown]
# The lecture says that both models give identical names. Four of the five are. In the second, the network still holds
# `yh` for twice as likely as it is, after 100 steps with the penalty. Without the penalty and with more steps the names
# agree:

# %%
y_, h_ = stoi["y"], stoi["h"]
print(f"P(h after y): counted {P[y_, h_]:.4f}, network {learned[y_, h_]:.4f}")
after_300 = train(300, 50.0)[0]
agreed = names_by_argmax(network(after_300.W), argmax_uniforms)
print(columns({"300 steps, no penalty": agreed, "counts": counts_names}))

figures.add(
    "P(h after y), counts and network",
    np.array([0.0023, 0.0049]),
    np.array([P[y_, h_], learned[y_, h_]]),
    6e-5,
    printed=False,
)
figures.add("300 steps without penalty", same_but_two, " ".join(agreed), printed=False)
figures.lost("names of another net", "zriwreisona. ady. myonaxrolin. ...", "")

# %% [markdown]
# In mm_jax sampling is one compiled loop for all names at once. With one key, counts and trained network:

# %%
models = {
    "counts": counts,
    "W from the counts": mm_jax.bigram.from_counts(counts),
    "3,000 steps": after_3000,
    "100 steps, penalty": trained,
}
print(columns({name: mm_jax.sample(model, jax.random.key(1), 10) for name, model in models.items()}))

# %% [markdown]
# W taken from the counts in closed form gives the same names as the counts, always. A trained W differs wherever a
# probability is still off and the random number falls into the gap; a name that differs once goes its own way.
#
# ## 25. Why both are the same model, and which one scales
#
# The same information goes in (one character), the same family of distributions comes out, the loss is the same.
# Counting writes the minimum down at once; descent walks towards it. With more characters of context the table explodes
# - 27 rows, then 729, then 19,683 - and the network does not. That is part 2.
#
# ## 26. Training, validation and test pairs
#
# The lecture's exercises: split the pairs at random into 80, 10 and 10 per cent, train on the first, look at the
# others.

# %%
order = jax.random.permutation(jax.random.key(26), len(xs))
cut_1, cut_2 = int(0.8 * len(xs)), int(0.9 * len(xs))
parts = {"train": order[:cut_1], "validation": order[cut_1:cut_2], "test": order[cut_2:]}
print(*(f"{name} {len(part):,}" for name, part in parts.items()), sep="   ")


def table_of(part):
    return jnp.zeros((27, 27), jnp.int32).at[all_xs[part], all_ys[part]].add(1)


tables = {name: table_of(part) for name, part in parts.items()}
W, split_losses = W_start, []
for _ in range(100):
    value, gradient = jax.value_and_grad(penalised_loss)(W, tables["train"], 0.0)
    W = W - 10.0 * gradient
    split_losses.append(float(value))
print("step 0, 10, ...:", *(f"{value:.4f}" for value in [*split_losses[::10], split_losses[99]]))
final = {name: float(loss_from_counts(W, part)) for name, part in tables.items()}
for name, value in final.items():
    print(f"{name:10} {value:.4f}")

figures.add("sizes of the parts", "182516, 22815, 22815", ", ".join(str(len(part)) for part in parts.values()))
figures.lost("train, validation, test", "2.5629, 2.5745, 2.5639", ", ".join(f"{value:.4f}" for value in final.values()))

# %% [markdown]
# All three are alike: a model of 729 numbers cannot learn 180,000 pairs by heart. But this split tears words apart:
# pairs of one word stand on both sides. For a bigram it hardly matters. Models that can spell whole words need a split
# *by words*, and part 2 does so.
#
# ## 27. What we have
#
# One model, trained twice: by counting, and by following the gradient of one loss. Sampled twice, with the same names.
# Scored with one number, 2.4540 nats per character. Next: more characters of context, and bigger networks.
#
# ## All figures
#
# "lecture": printed in the lecture. "ours": computed for this notebook. "draws lost": the lecture did not keep the
# random numbers, so its figure and ours stand side by side, unchecked.

# %%
figures.show()
