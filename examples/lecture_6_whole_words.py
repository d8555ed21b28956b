# %% [markdown]
# # makemore, further: models that read the whole word
#
# The first lecture announces a road: bigram, bag of words, MLP, RNN, transformer. Parts 1 to 5 took it as far as the
# WaveNet, which sees eight characters. This notebook takes the rest, each model from its equation. You will be able
# to
#
# - write an RNN, a GRU and a transformer as one pure function each, and step through them by hand;
# - compare two models fairly: equal sizes, equal steps, equal batches, and an error of the *difference*;
# - look into a trained network, make a hypothesis, and test it by switching a part off;
# - count well (Kneser-Ney), and let several models vote (a mixture);
# - see overfitting, and soften it by dropping characters and by a teacher.
#
# [The lecture that announces it](https://www.youtube.com/watch?v=PaCmpygFfXo) ·
# [open in Colab](https://colab.research.google.com/github/mm-jax/mm_jax/blob/main/examples/lecture_6_whole_words.ipynb)
# · before: [part 5, a WaveNet](lecture_5_wavenet.ipynb) · this is the last one
#
# **Sections**: 120 where the window ends · 121 a model is a machine that reads · 122 the bag of words · 123 training
# on whole words · 124 how sure is a loss? · 125 the RNN · 126 the GRU · 127 same size, same steps (a minute) · 128
# how far back it learns · 129 attention, one step · 130 the transformer · 131 a hypothesis about a head · 132
# counting done well · 133 the same word, read by all · 134 the ladder · 135 a mixture · 136 overfitting · 137 names,
# and test · 138 one level up: a symbol may be a word · 139 what to take along
#
# All of it takes two to three minutes. The other ten runs of section 127 take two more minutes; they are made where
# `MM_JAX_LONG` is set. **Run it**: `pip install -e '.[notebooks]'`, then `jupyter lab
# examples/lecture_6_whole_words.ipynb`. The words are those of `names.txt` if it is found or can be downloaded,
# otherwise the given names bundled with mm_jax; what the text says about losses holds for `names.txt`. No lecture
# prints these figures: they were computed for this notebook. Losses differ a little from processor to processor.

# %%
# On Colab, or away from the project's folder: fetches it, and works in its examples.
import importlib.util
import os

if not importlib.util.find_spec("figures"):
    os.system("git clone -q --depth 1 https://github.com/mm-jax/mm_jax && pip install -q './mm_jax[notebooks]'")
    os.chdir("mm_jax/examples")

# %%
import dataclasses
from collections import Counter

import figures
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax

import mm_jax
from mm_jax import corpus, plotting

plt.rcParams.update({"figure.dpi": 90, "figure.constrained_layout.use": True})
np.set_printoptions(precision=3, suppress=True, linewidth=90)

# %%
words = mm_jax.load_words()
split = mm_jax.split_words(words)
vocab = mm_jax.Vocab.from_words(words)
{name: len(part) for name, part in split._asdict().items()}

# %% [markdown]
# ## 120. Where the window ends
#
# Part 2's MLP sees three characters. It is trained once more here, with the settings that all networks of this
# notebook share: Adam, and a learning rate that rises for a twentieth of the run and then falls to 0. (`optax.adamw`
# is Adam, which divides each weight's step by the recent size of its gradient, with a weight decay: each step also
# takes the weights a little towards 0.)


# %%
def down(t):
    """Returns the factor of the learning rate; t is the share of the run that is done."""
    return np.minimum(t / 0.05, (1 - t) / 0.95)


def train(params, steps, words=split.train, key=None, **options):
    key = jax.random.key(1) if key is None else key
    return mm_jax.fit(params, words, key, steps=steps, optimizer=optax.adamw, decay=down, **options)[0]


# %%
mlp = mm_jax.mlp.init(jax.random.key(0), vocab)
mlp = train(mlp, 1_600, batch_size=320, draw="contexts", learning_rate=0.02)
mm_jax.evaluate(mlp, split.dev).nll  # nats per character

# %% [markdown]
# After *bella* and after *isabella* it sees the same three characters, `lla`, and must say the same. It cannot know
# how long the word is, or how it began:


# %%
def ends(params, word):
    """Returns the probability that the word ends here."""
    rows = mm_jax.unroll(params, jnp.array(vocab.encode(word)))  # [len(word) + 1, 27]
    return float(jax.nn.softmax(rows[-1])[0])


{word: round(ends(mlp, word), 4) for word in ("bella", "isabella", "gabriella")}

# %% [markdown]
# A larger window helps up to a point: W1 grows with it, most long contexts never occur, and each place in the window
# has weights of its own, so what is learned at one place is not known at the next. The WaveNet of part 5 shares
# weights between places, and still has a window. What we want is a *state* that takes in a whole word with the same
# weights at each place.
#
# **Try**: `block_size=5` in the MLP. What do you expect of dev?
# <details><summary>Answer</summary>
#
# Better: 2.047 in place of 2.094, with 15,897 parameters in place of 11,897. It still says the same after
# *bella* and after *isabella*: the last five characters are the same, too.
# </details>

# %% [markdown]
# ## 121. A model is a machine that reads
#
# Four functions describe every model of mm_jax:
#
#     state = start(params)                    before a word
#     state = advance(params, state, token)    one character read
#     row   = logits(params, state)            what comes next
#     rows  = unroll(params, tokens)           the rows of all places at once
#
# For the MLP the state is the window. For the models below it is what they remember of the word. Reading *emma*:

# %%
state = mm_jax.start(mlp)
for char in "emma":
    state = mm_jax.advance(mlp, state, jnp.int32(vocab.encode(char)[0]))
    likeliest = vocab.chars[int(mm_jax.logits(mlp, state).argmax())]
    print(f"read {char}   state {state!s:11}   likeliest next: {likeliest}")

# %% [markdown]
# `unroll` gives the rows of all places in one call; training uses it. It is a loop over `advance`, or something
# faster with the same result:

# %%
emma = jnp.array(vocab.encode("emma"))
unrolled = mm_jax.unroll(mlp, emma)  # [5, 27]
unroll_off = float(jnp.abs(unrolled[-1] - mm_jax.logits(mlp, state)).max())
unroll_off  # the last row, against the loop

# %% [markdown]
# ## 122. The bag of words
#
# The simplest way to see the whole word: take the average of the vectors of everything read so far. The order is
# lost, as when the letters lie in a bag. Beside it goes the vector of the last character, or the model would not know
# where it stands.
#
#     a      = mean of C[token] over all tokens so far, the first dot included
#     h      = tanh([C[last], a] @ W1 + b1)
#     logits = h @ W2 + b2
#
# The mean over all earlier places is one matrix product, with a lower triangle whose rows sum to 1. **Remember this
# triangle**: the transformer has it again.

# %%
bow = mm_jax.bow.init(jax.random.key(3), vocab)
x = bow.C[jnp.array([0, *emma])]  # [5, 64]: the vectors of . e m m a
triangle = jnp.tril(jnp.ones((5, 5)))
average = triangle / triangle.sum(1, keepdims=True)
average

# %%
h = jnp.tanh(jnp.concatenate([x, average @ x], axis=1) @ bow.W1 + bow.b1[None])  # [5, 256]
bow_rows = h @ bow.W2 + bow.b2[None]  # [5, 27]
bow_off = float(jnp.abs(bow_rows - mm_jax.unroll(bow, emma)).max())
bow_off

# %% [markdown]
# ## 123. Training on whole words
#
# A batch of whole words would be mostly padding: names have 2 to 15 characters. So words are laid end to end in rows
# of one length, several in a row. This is called **packing**. Three words in rows of ten:

# %%
packed = corpus.rows(["emma", "ava", "mia"], vocab, length=10)
for row, places in zip(packed.targets, packed.places, strict=True):
    print(" ".join(vocab.chars[token] for token in row), "  padding:", (places < 0).sum())

# %% [markdown]
# Each dot starts the state anew, so that no word sees the one before it. Read *mia* behind *emma*, and alone:

# %%
together = mm_jax.unroll(bow, jnp.array(packed.targets[0, :8]))  # e m m a . m i a: [9, 27]
alone = mm_jax.unroll(bow, jnp.array(vocab.encode("mia")))  # [4, 27]
packing_off = float(jnp.abs(together[5:] - alone).max())
packing_off

# %% [markdown]
# So much for the rows; now the **targets**. Many words begin with `ma`, each with its own next character. One batch
# draws a few of them; but the whole list is known, so the target after `ma` can be the share of *each* character that
# ever followed it there:

# %%
followed = Counter((word + ".")[2] for word in split.train if word.startswith("ma"))
target = np.array([followed[char] for char in vocab.chars]) / followed.total()  # [27]
followed.most_common(8)

# %% [markdown]
# The cross entropy with these shares is the mean loss over all those words, in one step. The expected gradient is the
# same, the noise is less:

# %%
log_p = np.asarray(jax.nn.log_softmax(mm_jax.unroll(bow, jnp.array(vocab.encode("ma")))[-1]))  # [27]
one_by_one = [-log_p[vocab.chars.index((word + ".")[2])] for word in split.train if word.startswith("ma")]
by_share = -(target * log_p).sum()
target_off = abs(np.mean(one_by_one) - by_share)
float(np.mean(one_by_one)), float(by_share)

# %% [markdown]
# `fit` does both for every model that reads whole words. Train the bag:

# %%
bow = train(bow, 600, batch_size=64, learning_rate=1e-2)
{word: round(ends(bow, word), 4) for word in ("bella", "isabella", "gabriella")}

# %% [markdown]
# Now the three differ: the model knows what is in the word, and how much of it.
#
# ## 124. How sure is a loss?
#
# The loss on dev is a mean over some 23,000 characters. With another draw of 3,203 names it would be a little
# different. How different? The usual standard error treats the characters as independent. They are not: a rare name
# is surprising in all its letters. So sum up by *word*, and see how far each word is above or below its share. That
# is a standard error **clustered by word**.


# %%
def mean_and_error(sums, lengths):
    """Returns the nats per character, and their standard error, from the nats and the characters of each word."""
    mean = sums.sum() / lengths.sum()
    residual = sums - mean * lengths  # [words]
    return mean, np.sqrt((residual**2).sum()) / lengths.sum()


# %%
sums, lengths = mm_jax.evaluation.word_nlls(bow, split.dev)  # [words], [words]
bow_mean, bow_error = mean_and_error(sums, lengths)
print(f"bag of words: dev {bow_mean:.4f} +- {bow_error:.4f}")

# %% [markdown]
# `mm_jax.evaluate` gives the same as `.nll` and `.stderr`. To compare two models, take the error of their
# *difference* on the same words: what makes a word hard makes it hard for both, and cancels. These are **paired**
# errors.


# %%
def paired(one, other, words=split.dev):
    """Returns the loss of one model less that of the other, in nats per character, and its standard error."""
    sums, lengths = mm_jax.evaluation.word_nlls(one, words)
    return mean_and_error(sums - mm_jax.evaluation.word_nlls(other, words)[0], lengths)


bag_gap = paired(bow, mlp)
print("bag of words less MLP: {:+.4f} +- {:.4f}".format(*bag_gap))

# %% [markdown]
# Less than one standard error: the losses do not tell the two apart. A whole word without its order is worth as much
# as three characters in order.
#
# ## 125. The recurrent network (RNN)
#
# One vector h is carried along. Each character changes it:
#
#     h      = tanh(C[token] + h @ W1 + b1)        h is 0 before the first dot
#     logits = h @ W2 + b2
#
# The same C, W1 and b1 at every place. Laid out along the word (*unrolled*), it is a network as deep as the word is
# long:
#
#     to predict       e          m          m          a          .
#                      ^          ^          ^          ^          ^
#                    @ W2       @ W2       @ W2       @ W2       @ W2
#                      |          |          |          |          |
#          0 -@ W1->  [h] -@ W1> [h] -@ W1> [h] -@ W1> [h] -@ W1> [h]       128 numbers each
#                      ^          ^          ^          ^          ^
#                    C[.]       C[e]       C[m]       C[m]       C[a]
#     read             .          e          m          m          a

# %%
rnn = mm_jax.rnn.init(jax.random.key(4), vocab, hidden_dim=128)
h = jnp.zeros(128)
for char in ".emma":
    h = jnp.tanh(rnn.C[vocab.chars.index(char)] + h @ rnn.W1 + rnn.b1)
    print(f"read {char}   h[:6] = {h[:6]}")

# %% [markdown]
# The two m's leave different states: order counts. The row after the last character, by hand and by mm_jax:

# %%
rnn_off = float(jnp.abs(h @ rnn.W2 + rnn.b2 - mm_jax.unroll(rnn, emma)[-1]).max())
rnn_off

# %% [markdown]
# **Try**: set W1 to zeros in a trained RNN. Which model is left, and what is its loss at best?
# <details><summary>Answer</summary>
#
# h then depends on the last character alone: it is a bigram net. Its loss cannot be below that of the bigram table on
# train, 2.45. The RNN of section 127 is far above that without its W1, 3.25 on dev, for its other weights were
# trained together with W1.
# </details>
#
# ## 126. The gated recurrent unit (GRU)
#
# In the RNN all of h goes through W1 and tanh at each step, so what was read long ago is overwritten. Let the network
# decide, for each number of h, how much to keep. Two **gates** between 0 and 1, computed from character and state:
#
#     x = C[token] + b1            what the character gives, cut in three: x_r, x_z, x_n
#     s = h @ W1 + [0, 0, bn]      what the state gives, cut in three: s_r, s_z, s_n
#
#     r = sigmoid(x_r + s_r)       reset: how much of the state the new value sees
#     z = sigmoid(x_z + s_z)       update: how much of the state is kept
#     n = tanh(x_n + r * s_n)      the new value
#     h = z * h + (1 - z) * n      a mean of old and new, with z as weight
#
#     old h ---------------- * z -------------+--> new h
#       |                    ^                ^
#       +--> r --> n -- * (1 - z) ------------+       r, z and n also read the character
#
# Where z is 1 the number passes unchanged, and so does its gradient. One step by hand, on three of the numbers:

# %%
gru = mm_jax.gru.init(jax.random.key(5), vocab, hidden_dim=128)
h = mm_jax.start(gru)  # [128]: the first dot is read
x_r, x_z, x_n = jnp.split(gru.C[emma[0]] + gru.b1, 3)  # the character e
s_r, s_z, s_n = jnp.split(h @ gru.W1, 3)
s_n = s_n + gru.bn

# %%
r, z = jax.nn.sigmoid(x_r + s_r), jax.nn.sigmoid(x_z + s_z)
n = jnp.tanh(x_n + r * s_n)
new_h = z * h + (1 - z) * n
for name, value in {"old h": h, "reset r": r, "update z": z, "new value n": n, "new h": new_h}.items():
    print(f"{name:12}", value[:3])

# %%
gru_off = float(jnp.abs(new_h - mm_jax.advance(gru, h, emma[0])).max())
gru_off

# %% [markdown]
# ## 127. Same size, same steps
#
# Which of the two is better? A GRU of width h has three matrices where the RNN has one, so at equal *width* it has
# nearly three times the numbers. Compare at equal *size*: the same number of parameters, steps, learning rate and
# batches.

# %%
sizes = {"RNN": (mm_jax.rnn, 128, 226), "GRU": (mm_jax.gru, 72, 128)}
for name, (model, *widths) in sizes.items():
    sized = [mm_jax.num_params(model.init(jax.random.key(0), vocab, hidden_dim=width)) for width in widths]
    print(name, *(f"width {width}: {count:,} numbers  " for width, count in zip(widths, sized, strict=True)))

# %% [markdown]
# Three seeds of each were trained; a seed decides the weights at the start and the batches, so RNN and GRU of one seed
# see the same batches. Here the first seed of the larger size is trained; all twelve runs where `MM_JAX_LONG` is set.
# (`mm_jax.fit_population` trains many on all cores.)

# %%
keys = jax.random.split(jax.random.key(7), 3 if figures.LONG else 1)
trained = {
    (name, width): [
        train(model.init(key, vocab, hidden_dim=width), 1_200, key=key, batch_size=64, learning_rate=5e-3)
        for key in keys
    ]
    for name, (model, *widths) in sizes.items()
    for width in (widths if figures.LONG else widths[1:])
}

# %%
losses = {kind: [mm_jax.evaluate(params, split.dev).nll for params in seeds] for kind, seeds in trained.items()}
for (name, width), found in losses.items():
    print(f"{name}, width {width:3}: dev", *(f"{nll:.4f}" for nll in found))

# %% [markdown]
# Dev, seen on 2026-11-26:
#
# | numbers | RNN, three seeds | GRU, three seeds | GRU less RNN |
# |--|--|--|--|
# | 23,500 | 2.0411 2.0422 2.0420 | 2.0514 2.0478 2.0482 | +0.0074 |
# | 63,500 | 1.9961 1.9966 1.9951 | 1.9865 1.9904 1.9917 | -0.0064 |
#
# On names the gates are worth little. The small RNN is ahead, since 128 plain numbers hold more of a short word than 72
# gated ones; the large GRU is ahead by less than 0.01. The comparison one often sees, both of width 128, shows a gain
# of 0.05 and is mostly one of size. On music and speech, with far longer sequences, gated units were found clearly
# ahead ([Chung et al. 2014](https://arxiv.org/abs/1412.3555)); a name has six letters or so. From here on, RNN and GRU
# are the two of some 63,500 numbers.

# %%
rnn, gru = trained["RNN", 226][0], trained["GRU", 128][0]
print("GRU less RNN, paired: {:+.4f} +- {:.4f}".format(*paired(gru, rnn)))

# %% [markdown]
# ## 128. How far back it learns
#
# What the gates are *for* can be measured. Take the gradient of the loss at the word's end with respect to the state
# after each character: how large is it some characters back? A small function does it for one word. It adds
# `nudges` to the states: they are zeros and change nothing, but the gradient with respect to them is the gradient with
# respect to the states.


# %%
def last_nll(nudges, read, params):
    h = jnp.zeros(params.W2.shape[0])
    for token, nudge in zip(read, nudges, strict=True):
        h = mm_jax.advance(params, h, token) + nudge
    return -jax.nn.log_softmax(mm_jax.logits(params, h))[0]


# %% [markdown]
# `jax.vmap` makes it a function of many words. Its second argument says along which axis each argument is split:
# `(None, 0, None)` is "the same nudges and the same parameters for all, but another word each".

# %%
eight = jnp.array([[0, *vocab.encode(word)] for word in split.dev if len(word) == 8])  # [words, 9]
grads = jax.vmap(jax.grad(last_nll), (None, 0, None))


def reach(params):
    """Returns the mean size of the gradient, 0 to 8 characters back; that at the end is 1."""
    sizes = jnp.linalg.norm(grads(jnp.zeros((9, params.W2.shape[0])), eight, params), axis=2).mean(0)  # [9]
    return (sizes / sizes[-1])[::-1]


# %%
reaches = {"RNN": reach(rnn), "GRU": reach(gru)}
figure, ax = plt.subplots(figsize=(6, 3.4))
for name, sizes_back in reaches.items():
    ax.plot(sizes_back, "o-", label=f"{name}: {sizes_back[8]:.2f} eight back")
ax.set(xlabel="characters back from the word's end", ylabel="gradient, relative to the end", ylim=(0, 1.1))
ax.grid(alpha=0.3)
_ = ax.legend()

# %% [markdown]
# Eight characters back the RNN has 0.34 of the gradient, the GRU 0.41. So the gates do what they are built for: more
# of the gradient arrives. The first letters of a name of eight are not far away, though, and the RNN reaches them as
# well; that is why the losses of section 127 are so close.
#
# And the update gate itself, reading one name. Rows are the 128 numbers of the state, the one that keeps most on top:


# %%
def update_gate(params, h, token):
    x, s = params.C[token] + params.b1, h @ params.W1
    return jax.nn.sigmoid(jnp.split(x, 3)[1] + jnp.split(s, 3)[1])  # [128]


# %%
gates, h = [], jnp.zeros(gru.bn.shape)
for token in [0, *vocab.encode("isabella")]:
    gates.append(update_gate(gru, h, token))
    h = mm_jax.advance(gru, h, jnp.int32(token))
gates = jnp.stack(gates, axis=1)  # [128, 9]

# %%
figure, ax = plt.subplots(figsize=(5.4, 4))
rows = gates[jnp.argsort(-gates.mean(1))]
drawn = ax.imshow(rows, aspect="auto", interpolation="nearest", vmin=0, vmax=1)
ax.set_xticks(range(9), ".isabella")
ax.set(xlabel="character read", ylabel="numbers of the state, sorted", yticks=[])
_ = figure.colorbar(drawn, label="z: share of the state that is kept")

# %% [markdown]
# No gate keeps all of its number all the time. The top rows keep 0.7 to 0.8 of it on average over the nine characters,
# with single steps near 0 and near 1; the mean of all is 0.34, and 61 of the 128 numbers keep less than 0.3: they are
# mostly written anew. At the first dot z is largest (0.65 on average), but the state is still 0: there is nothing to
# keep, and a large z only means that little of the dot is written.
#
# ## 129. Attention, one step
#
# The recurrent networks fold all they read into one vector. A transformer keeps a vector for *each* place, and lets
# each place look back at all earlier ones. Where the bag of words took the plain average, with the same weight
# everywhere, **attention computes the weights**: each place asks a question (a query q), each earlier place has a
# label (a key k) and something to say (a value v). The better question and label fit, the greater the weight.
#
#     the place that looks:   q
#                             |   q . k / sqrt(16), a number for each place
#     keys of all places:     k.    ke    km    km    ka
#                             softmax: weights that sum to 1
#     values of all places:   v.    ve    vm    vm    va
#                             weighted sum: what the place has looked up
#
# A transformer does this several times side by side, each with its own q, k and v (a **head**), and in several layers
# (**blocks**). One step, in the first head of the first block: the place behind *emma* looks back. `norm` is **layer
# norm**: it brings each vector to mean 0 and variance 1, times a gain, plus a shift. The batch norm of part 3 does so
# for each number over the batch; this does it over the 64 numbers of one place.


# %%
def norm(x, gain, shift):
    centred = x - x.mean(1, keepdims=True)
    return gain[None] * centred / jnp.sqrt((centred**2).mean(1, keepdims=True) + 1e-5) + shift[None]


# %%
transformer = mm_jax.transformer.init(jax.random.key(6), vocab, num_layers=2, num_heads=4, width=64)
transformer = train(transformer, 700, batch_size=32, learning_rate=4e-3)
read = jnp.array([0, *emma])
x = transformer.C[read] + transformer.P[:5]  # [5, 64]: what is read, and where

# %%
block = transformer.blocks[0]
qkv = norm(x, block.gain1, block.shift1) @ block.Wqkv + block.bqkv[None]  # [5, 192]
q, k, v = (part[:, :16] for part in jnp.split(qkv, 3, axis=1))  # of the first head: [5, 16] each
fit = k @ q[-1] / 16**0.5  # [5]: how well each label fits the last place's question
fit

# %%
weights = jax.nn.softmax(fit)  # [5]
looked_up = weights @ v  # [16]
for char, one in zip(".emma", weights, strict=True):
    print(char, f"{one:.3f}", "#" * int(40 * one))

# %% [markdown]
# ## 130. The transformer
#
#     x      = C[token] + P[place]
#     in each block:
#         q, k, v = norm(x) @ Wqkv + bqkv          split into heads, each with its own q, k, v
#         weights = softmax(q . k / sqrt(size))    over the places up to this one: the triangle again
#         x       = x + (weights @ v) @ Wo + bo
#         x       = x + gelu(norm(x) @ W1 + b1) @ W2 + b2
#     logits = norm(x) @ Wu + bu
#
# P tells the places apart, for attention itself does not know the order. Each block *adds* to x, so gradients pass
# straight through. **gelu** is a smooth relu: x times the probability that a standard normal number is below x, near
# 0 for x < -2 and near x for x > 2. All places and all heads at once need products with three axes. **einsum** writes
# them by their letters: in `"thc,shc->hts"`, t is the place that looks, s the place that is looked at, h the head and
# c the numbers of a head; c stands on the left alone, so it is summed over.


# %%
def attend(block, x, num_heads):
    """Returns what each place looked up, [places, width], and the weights, [heads, places, places]."""
    qkv = norm(x, block.gain1, block.shift1) @ block.Wqkv + block.bqkv[None]
    q, k, v = (part.reshape(len(x), num_heads, -1) for part in jnp.split(qkv, 3, axis=1))
    fit = jnp.einsum("thc,shc->hts", q, k) / q.shape[-1] ** 0.5
    triangle = jnp.tril(jnp.ones((len(x), len(x)), bool))
    weights = jax.nn.softmax(jnp.where(triangle[None], fit, -jnp.inf), axis=-1)
    return jnp.einsum("hts,shc->thc", weights, v).reshape(len(x), -1), weights


# %%
def transformer_rows(params, read):
    """Returns the rows of a word, and the attention weights [blocks, heads, places, places]."""
    x, kept = params.C[read] + params.P[: len(read)], []
    for block in params.blocks:
        looked_up, weights = attend(block, x, params.num_heads)
        x = x + looked_up @ block.Wo + block.bo[None]
        inner = jax.nn.gelu(norm(x, block.gain2, block.shift2) @ block.W1 + block.b1[None])
        x = x + inner @ block.W2 + block.b2[None]
        kept.append(weights)
    return norm(x, params.gain, params.shift) @ params.Wu + params.bu[None], jnp.stack(kept)


# %%
by_hand, kept = transformer_rows(transformer, read)
transformer_off = float(jnp.abs(by_hand - mm_jax.unroll(transformer, emma)).max())
step_off = float(jnp.abs(weights - kept[0, 0, -1]).max())  # section 129's step
transformer_off, step_off

# %% [markdown]
# What does it attend to? Each small table is one head: the row is the place that looks, the column what it looks at.
# Places ahead are empty.

# %%
_, attended = transformer_rows(transformer, jnp.array([0, *vocab.encode("isabella")]))  # [2, 4, 9, 9]
_, of_eight = jax.vmap(transformer_rows, (None, 0))(transformer, eight)  # [words, 2, 4, 9, 9]
one_back = jnp.diagonal(of_eight, -1, 3, 4).mean((0, 3))  # [2, 4]: the mean weight one place back
layer, head = np.unravel_index(int(one_back.argmax()), one_back.shape)

# %%
figure, axes = plt.subplots(2, 4, figsize=(12, 6.4))
for (i, j), ax in zip(np.ndindex(2, 4), axes.flat, strict=True):
    plotting.attention(attended[i, j], ".isabella", ax)
    chosen = (i, j) == (layer, head)
    ax.set_title(
        f"block {i + 1}, head {j + 1}{': one back' if chosen else ''}", fontsize=9, color="C3" if chosen else "k"
    )
    ax.spines[:].set(color="C3" if chosen else "k", linewidth=2.5 if chosen else 0.8)
    ax.label_outer()

# %% [markdown]
# ## 131. A hypothesis about a head
#
# The framed one, block 2, head 1, puts half of its weight on the character just before, as the mean over all dev
# words of eight letters says; no other head looks there as much. The weights tell where a head looks. They do not
# tell whether the network needs it. So test that with an **intervention**.
#
# - *Hypothesis*: the head that looks one back tells the network the last character but one, as a trigram knows it.
#   Without it the loss rises more than without any other head.
# - *Intervention*: switch a head off, by setting the rows of Wo that read it to 0. Nothing is trained again.


# %%
def without(params, layer, head):
    """Returns the transformer with one head switched off."""
    block = params.blocks[layer]
    size = len(block.Wo) // params.num_heads
    silent = dataclasses.replace(block, Wo=block.Wo.at[head * size : (head + 1) * size].set(0))
    return dataclasses.replace(params, blocks=(*params.blocks[:layer], silent, *params.blocks[layer + 1 :]))


# %%
whole, lengths = mm_jax.evaluation.word_nlls(transformer, split.dev)
costs = {
    pair: mean_and_error(mm_jax.evaluation.word_nlls(without(transformer, *pair), split.dev)[0] - whole, lengths)
    for pair in np.ndindex(2, 4)
}
for (i, j), (gap, error) in costs.items():
    print(f"without block {i + 1}, head {j + 1}: dev {gap:+.4f} +- {error:.4f}   one back: {one_back[i, j]:.2f}")

# %% [markdown]
# **The hypothesis is wrong.** Without the head that looks one back the loss rises by 0.04; without one of block 1,
# which all look there less, by 0.06 to 0.10. A picture of weights tempts one to believe in the head that is easiest
# to name. What block 1 looks up is read by everything behind it, all of block 2 included; what block 2 looks up
# reaches only its own second half and the output.
#
# **Try**: switch off P instead: `dataclasses.replace(transformer, P=transformer.P * 0)`. What do you expect?
# <details><summary>Answer</summary>
#
# It was trained with P, and cannot tell the places apart without: dev rises from 2.043 to 2.344, by more than any
# head costs. A model trained without P is another question.
# </details>
#
# ## 132. Counting done well
#
# The lecture gives counting up: a table for five characters has 27<sup>5</sup> rows. But only contexts that occur
# need a row, and where one was seen too rarely, a shorter context can help out. **Kneser-Ney** does both, in two
# lines, for the next character w after a context c; N(c, w) is how often w followed c:
#
#     p(w | c) = max(N(c, w) - D, 0) / N(c)  +  (what was taken off) / N(c) * p(w | c without its oldest character)
#     in the shorter contexts N(c, w) is the number of different characters that were seen before c, w
#
# Each count gives up a discount D, and what is taken off goes to the shorter context. The second line is the idea:
# when we fall back, ask not how *often* a character occurs, but in how many contexts it does. By hand, for what
# follows `q`: one character of context, and below it the empty context:

# %%
N = np.asarray(mm_jax.counts.fit(split.train, vocab, smoothing=0.0).N, int)  # [27, 27]: the table of part 1
before = (N > 0).sum(0)  # [27]: how many different characters come before each
q = vocab.chars.index("q")
print("after q:", *(f"{vocab.chars[i]} {N[q, i]}" for i in np.argsort(-N[q])[:10] if N[q, i]), sep="  ")

# %% [markdown]
# The discount comes from the counts themselves: much of what was seen once is luck. There is one for counts of 1, of
# 2, and of 3 or more, computed from how many pairs occur once, twice, ... (Chen and Goodman, the *modified* form):


# %%
def discounted(counts, all_counts):
    """Returns the counts less their discounts, and the sum of the discounts."""
    D = mm_jax.ngrams.smoothing.discounts(np.bincount(all_counts.ravel(), minlength=5))  # [0, D1, D2, D3+]
    taken = D[np.minimum(counts, 3)]
    return counts - taken, taken.sum()


# %%
left, taken = discounted(before, before)
p_none = left / before.sum() + taken / before.sum() / len(vocab)  # [27]: no context; below it, one in 27 each
left, taken = discounted(N[q], N)
p_q = left / N[q].sum() + taken / N[q].sum() * p_none  # [27]: after q
p_q.sum()

# %%
two = mm_jax.ngram.fit(split.train, vocab, order=2)
kn_off = float(np.abs(p_q - np.exp(mm_jax.logits(two, jnp.array([q])))).max())
for char in "uaxf":
    at = vocab.chars.index(char)
    print(f"p({char} | q):  counted {N[q, at] / N[q].sum():.4f}   Kneser-Ney {p_q[at]:.4f}")

# %% [markdown]
# What was seen is discounted a little, and what was never seen gets a share: f more than x, for f follows 19
# different characters, x only 13. The second line of the formula matters where often and in-many-contexts differ:
#
# %%
for char in "nb":
    at = vocab.chars.index(char)
    print(f"{char} occurs {N[:, at].sum():6,} times, after {before[at]} different characters")

# %% [markdown]
# Often and everywhere are not the same: n occurs seven times as often as b, but when we know nothing of the context,
# both are given the same chance to follow it.
#
# `order=6` is the same with five characters of context. It holds an entry for each context and character that
# occurred:

# %%
kneser_ney = mm_jax.ngram.fit(split.train, vocab, order=6)
kn_entries = mm_jax.ngram.num_entries(kneser_ney)
print(f"{kn_entries:,} entries, dev {mm_jax.evaluate(kneser_ney, split.dev).nll:.4f}")

# %% [markdown]
# **Try**: other orders. Where does dev stop falling?
# <details><summary>Answer</summary>
#
# Dev, by order: 2.453 (2), 2.218 (3), 2.056 (4), 1.983 (5), **1.974** (6), 1.979 (7), 1.983 (8), 1.984 (9). Longer
# contexts than five characters hardly occur twice, so they add entries (352,184 at order 9) and no knowledge. It gets
# worse only slowly, because it falls back.
# </details>
#
# ## 133. The same word, read by all
#
# Nats for each character: the redder, the more surprising.

# %%
bigram = mm_jax.counts.fit(split.train, vocab, smoothing=1.0)
models = {"bigram": bigram, "MLP, 3 characters": mlp, "bag of words": bow, "RNN": rnn, "GRU": gru}
models |= {"transformer": transformer, "Kneser-Ney, order 6": kneser_ney}


def heat_map(word):
    figure, ax = plt.subplots(figsize=(9, 5.2))
    plotting.heat({name: mm_jax.score(params, word) for name, params in models.items()}, ax)
    ax.set(title=f"{word}: {'in' if word in split.train else 'not in'} the training list", xlim=(0, len(word) + 2.9))
    scale = plt.cm.ScalarMappable(plt.Normalize(0, 7), plt.cm.Reds.resampled(256))
    figure.colorbar(scale, ax=ax, label="nats", shrink=0.6)


# %%
heat_map("isabella")

# %% [markdown]
# All pay some 4 nats for the i at the start: few names begin with it, and no context can help. The last three cells, l,
# a and the end, add up to 0.7 nats for the GRU, 0.9 for the RNN, 1.0 for Kneser-Ney, 1.4 for the transformer, 2.1 for
# the MLP and 2.6 for the bag of words. But *isabella* is in the training list: some of this is memory, not knowledge.
#
# And a word that no list has:

# %%
heat_map("makemora")

# %% [markdown]
# Here the order is another: the MLP pays 1.80 a character, Kneser-Ney 1.90, the GRU 2.21. No name goes on after `make`
# as this word does, and a model that trusts a long memory is punished for it, at m and o (GRU 5.2 and 3.7, MLP 3.6 and
# 2.1).
#
# One word is an anecdote. The mean over all of dev, by place in the word:


# %%
def per_character(params, words):
    """Returns the nats of every character of the words, ends included: [characters]."""
    return mm_jax.models.prediction.TokenNLL(words, params)(params)


# %%
nats = {name: per_character(params, split.dev) for name, params in models.items()}
place = np.concatenate([np.arange(len(word) + 1) for word in split.dev])  # of each character in its word
by_place = {name: np.bincount(place, found) / np.bincount(place) for name, found in nats.items()}

# %%
figure, ax = plt.subplots(figsize=(8, 4.2))
for name, means in by_place.items():
    ax.plot(np.arange(len(means))[:11], means[:11], "o-", markersize=3, label=name)
ax.set(xlabel="characters read before", ylabel="dev, nats per character", xticks=range(11))
ax.grid(alpha=0.3)
_ = ax.legend(fontsize=8)

# %% [markdown]
# All start alike: nobody can know the first character. After one or two characters all but the bigram know the same;
# the bigram sees the last character, but not that it is the first or second. From the fourth character on, models
# that see more are surer. With eight characters read, RNN and GRU pay 0.7 to 0.8 nats, Kneser-Ney 0.8, the
# transformer 0.9, MLP and bag of words 1.0 to 1.1, the bigram 1.8. (Words of ten letters are few: the right end is
# noisy.)
#
# ## 134. The ladder
#
# All on dev, with the error of section 124. Hollow points are the loss on the dev words that are not in the training
# list. For count models the size is the number of entries.

# %%
results = {name: mm_jax.evaluate(params, split.dev, seen=split.train) for name, params in models.items()}
results = dict(sorted(results.items(), key=lambda item: -item[1].nll))
entries = {name: mm_jax.num_params(params) for name, params in models.items()}
entries |= {"bigram": bigram.N.size, "Kneser-Ney, order 6": kn_entries}
for name, found in results.items():
    print(f"{name:20} {entries[name]:>8,} numbers   dev {found.nll:.4f}   unseen {found.nll_unseen:.4f}")

# %%
figure, ax = plt.subplots(figsize=(8, 4.2))
plotting.ladder({name: found for name, found in results.items() if name != "bigram"}, ax)
_ = ax.set_title(f"the bigram's {results['bigram'].nll:.3f} would be far to the right", fontsize=9)

# %% [markdown]
# Which differences are real? Paired, on all of dev, and on the part of it that is not in the training list:

# %%
pairs = [("bag of words", "MLP, 3 characters"), ("RNN", "MLP, 3 characters"), ("GRU", "RNN")]
pairs += [("GRU", "transformer"), ("GRU", "Kneser-Ney, order 6")]
known = set(split.train)
new = np.array([word not in known for word in split.dev])  # [words]
by_word = {name: np.add.reduceat(found, np.flatnonzero(place == 0)) for name, found in nats.items()}  # [words] each

# %%
gaps = {}
for one, other in pairs:
    gap = by_word[one] - by_word[other]
    gaps[one, other] = mean_and_error(gap, lengths), mean_and_error(gap[new], lengths[new])
for (one, other), (whole_dev, unseen) in gaps.items():
    print(f"{one:13} less {other:20}", "dev {:+.4f} +- {:.4f}   unseen {:+.4f} +- {:.4f}".format(*whole_dev, *unseen))

# %% [markdown]
# - **Reading the whole word pays, in its order.** RNN and GRU are 0.1 below the MLP. The bag of words, which forgets
#   the order, cannot be told from it on dev; on unseen words it is ahead by two and a half errors.
# - **Counting done well is hard to beat.** Kneser-Ney takes no gradient step, and has the lowest dev loss of all
#   single models here. But it learns by heart: on words that are not in the training list the GRU is ahead, by 0.016
#   +- 0.005.
# - **The transformer ranks so low because it was trained for 700 steps only.** Trained longer, with dropout and a
#   teacher (section 136), it and a GRU twice as wide both reach 1.91 to 1.92 (`examples/README.md`).
#
# These are errors over *words*. Another seed moves a network by some thousandths, too, and longer training moves all
# of them down; `python examples/ladder.py` shows where to.
#
# ## 135. A mixture
#
# Models of different kinds err in different places. Let two vote: p = w * p<sub>GRU</sub> + (1 - w) *
# p<sub>Kneser-Ney</sub>. The weight w must be fitted on words that neither was trained on, and judged on others: fit
# on one half of dev, read on the other.

# %%
half, other_half = split.dev[::2], split.dev[1::2]
p_gru, p_kn = (np.exp(-per_character(params, half)) for params in (gru, kneser_ney))  # of each right character
shares = np.linspace(0, 1, 21)
mixed = [-np.log(w * p_gru + (1 - w) * p_kn).mean() for w in shares]

# %%
figure, ax = plt.subplots(figsize=(6, 3.2))
ax.plot(shares, mixed, "o-", markersize=3)
ax.set(xlabel="w, the weight of the GRU", ylabel="half of dev, nats per character")
ax.grid(alpha=0.3)
print(f"lowest at w = {shares[np.argmin(mixed)]:.2f}: {min(mixed):.4f}")

# %% [markdown]
# The curve sags between its ends: each is better than the other somewhere. `mm_jax.mixture.fit` finds the weights of
# any number of models, by gradient steps on this same loss. The mixture is a model like the others.

# %%
members = [gru, transformer, kneser_ney]
mixture = mm_jax.mixture.fit(members, half)
models["mixture of three"] = mixture
print("weights of GRU, transformer, Kneser-Ney:", np.asarray(mixture.weights))

# %%
best_alone = min(members, key=lambda params: mm_jax.evaluate(params, half).nll)
mixture_gap = paired(mixture, best_alone, other_half)
print(f"the other half: {mm_jax.evaluate(mixture, other_half).nll:.4f},", end=" ")
print("less the best of the three {:+.4f} +- {:.4f}".format(*mixture_gap))

# %% [markdown]
# **Try**: add the bag of words to the members. Which weight does it get?
# <details><summary>Answer</summary>
#
# 0.004: it knows nothing that the others do not. The RNN is another matter: with it as fourth member the weights are
# 0.29 (GRU), 0.02 (transformer), 0.46 (Kneser-Ney) and 0.23 (RNN), and the other half falls from 1.9283 to 1.9258.
# </details>
#
# ## 136. Overfitting
#
# With more steps and larger networks the training loss goes on falling. Dev does not. To see it in seconds, take
# 1,000 words only. Two remedies are shown once by hand.
#
# **Dropping characters**: at each step a fifth of the characters read is replaced by a vector of zeros, others each
# time. The targets stay. A long word is seldom seen twice in the same form, so it is harder to learn by heart.

# %%
isabella = jnp.array(vocab.encode("isabella"))
for key in jax.random.split(jax.random.key(8), 4):
    dropped = jax.random.bernoulli(key, 0.2, isabella.shape)  # [8]
    print(" ".join("_" if gone else char for gone, char in zip(dropped, "isabella", strict=True)))

# %% [markdown]
# **A teacher**: the target after `ma` is what followed it in the list (section 123), a thin count if the list is
# short. Put half of the weight on what a better-behaved model expects there: a Kneser-Ney model of the same 1,000
# words. To learn from another model's probabilities is called *distillation*.

# %%
few = split.train[:1_000]
teacher = mm_jax.ngram.fit(few, vocab)
expects = jax.nn.softmax(mm_jax.unroll(teacher, jnp.array(vocab.encode("ma")))[-1])  # [27]
followed_few = np.array([sum(word.startswith("ma" + char) for word in few) for char in vocab.chars], float)
followed_few[0] = few.count("ma")
followed_few /= followed_few.sum()

# %%
taught = 0.5 * followed_few + 0.5 * np.asarray(expects)
for char in "rdstx":
    at = vocab.chars.index(char)
    print(f"{char}   followed {followed_few[at]:.3f}   the teacher {expects[at]:.3f}   target {taught[at]:.3f}")

# %% [markdown]
# Then the calls. `loop.run` is what `fit` runs; it hands over the state now and then, so that both losses can be
# taken along the way.


# %%
def watched(**options):
    """Trains a GRU on the few words; returns rows of step, train and dev, in nats per character."""
    run = mm_jax.training.loop
    recipe = mm_jax.Recipe(500, batch_size=32, optimizer=optax.adamw, learning_rate=5e-3, decay=down, **options)
    state = run.first_state(mm_jax.gru.init(jax.random.key(9), vocab, hidden_dim=128), jax.random.key(1), recipe)
    return [
        (int(now.state.step), mm_jax.evaluate(now.state.params, few).nll, now.dev)
        for now in run.run(state, few, recipe, dev=split.dev[:1_000], interval=50)
    ]


# %%
runs = {
    "no regularisation": watched(),
    "drop 20% of the characters": watched(drop_tokens=0.2),
    "half the targets from the teacher": watched(teach=0.5),
}
teacher_dev = mm_jax.evaluate(teacher, split.dev[:1_000]).nll
for name, rows in runs.items():
    lowest = min(rows, key=lambda row: row[2])
    print(f"{name:34} at the end: train {rows[-1][1]:.3f}  dev {rows[-1][2]:.3f}", end="   ")
    print(f"lowest dev {lowest[2]:.3f} at step {lowest[0]}")

# %%
figure, ax = plt.subplots(figsize=(8, 4.6))
for color, (name, rows) in zip(("C3", "C0", "C2"), runs.items(), strict=True):
    steps, train_nll, dev_nll = zip(*rows[1:], strict=True)
    ax.plot(steps, dev_nll, color=color, label=f"{name}: dev")
    ax.plot(steps, train_nll, "--", color=color, linewidth=1)
ax.axhline(teacher_dev, color="0.4", linestyle=":", label=f"the teacher alone: dev {teacher_dev:.3f}")
ax.set(xlabel="step", ylabel="nats per character", title="dashed: on the 1,000 words themselves")
ax.grid(alpha=0.3)
_ = ax.legend(fontsize=8, loc="lower left")

# %% [markdown]
# Without regularisation dev turns up at step 150 and ends at 2.445, while the loss on the 1,000 words falls to 1.541:
# the network has room to learn them by heart, and each further step makes it surer of them and less sure of all
# others. Dropping characters stops that: dev stays near 2.27. But its lowest point, 2.266, is no better than stopping
# the first run at step 150, 2.263. The teacher is worth more: 2.239 at the lowest, below both the network alone and
# the teacher alone.
#
# The third remedy is more words, if they can be had; and fewer steps, if not. `mm_jax.distil` goes one step further:
# it lets a mixture write new words, and trains one network on the mixture's probabilities for them.
#
# **Try**: `few = split.train[:5_000]`. Which of the curves changes most?
# <details><summary>Answer</summary>
#
# That without regularisation: with five times the words dev no longer turns up within 500 steps. It ends at its lowest,
# 2.129 (train 2.017). The teacher still helps a little, 2.125; dropping characters now costs, 2.149.
# </details>
#
# ## 137. Names, and test
#
# Twelve names from each, drawn with the same key; from left to right they look more and more like names.

# %%
shown = ["bigram", "MLP, 3 characters", "GRU", "transformer", "mixture of three"]
print(figures.columns({name: mm_jax.sample(models[name], jax.random.key(10), 12) for name in shown}))

# %% [markdown]
# All choices are made. **Test, once**, for the one with the lowest loss on dev:

# %%
test = mm_jax.evaluate(mixture, split.test, seen=split.train)
print(f"mixture of three: test {test.nll:.4f} +- {test.stderr:.4f}")
print(f"over the words of test that are not in train: {test.nll_unseen:.4f} +- {test.stderr_unseen:.4f}")

# %% [markdown]
# ## 138. One level up: a symbol may be a word
#
# The first lecture ends its road with documents, "word-level modeling". Nothing above says that a symbol is a
# *character*: a model reads tokens, and the vocabulary says what they stand for. Let a symbol be a word, and an item
# of the list a line. A small grammar makes the lines, so that the true probabilities are known: a subject, in seven
# of ten lines where it is, and a verb that agrees with the subject.

# %%
NOUNS, PLACES = ["king", "queen", "farmer", "miller", "sailor", "shepherd"], ["field", "tower", "forest", "valley"]
VERBS = ["sing", "sleep", "wait", "dream"]


def a_line(rng):
    subject, owner = (f"{noun}{'s' * rng.integers(2)}" for noun in rng.choice(NOUNS, 2))
    where = f" in the {rng.choice(PLACES)} of the {owner}" if rng.random() < 0.7 else ""
    return f"the {subject}{where} {rng.choice(VERBS)}{'' if subject.endswith('s') else 's'}"


rng = np.random.default_rng(0)
lines = [a_line(rng) for _ in range(3_000)]
lines[:4]

# %%
line_vocab = mm_jax.Vocab.from_words(lines, units="words")
kings = line_vocab.encode("the kings sing")
len(line_vocab), kings, line_vocab.decode(kings)

# %% [markdown]
# The calls are those of names. Beside them, n-grams of the same lines as letters:

# %%
parts = mm_jax.split_words(lines)
readers = {f"n-gram of order {order}": mm_jax.ngram.fit(parts.train, line_vocab, order=order) for order in (3, 8)}
reader = mm_jax.gru.init(jax.random.key(11), line_vocab, hidden_dim=32)
readers["GRU"] = train(reader, 300, parts.train, batch_size=64, learning_rate=1e-2)
letters = mm_jax.Vocab.from_words(lines)
readers["n-gram of order 8, of letters"] = mm_jax.ngram.fit(parts.train, letters, order=8)

# %% [markdown]
# A word has more choices than a letter, so losses per symbol do not compare; per character they do: the same total,
# divided by all characters, blanks and ends included.

# %%
line_losses = {name: mm_jax.evaluate(params, parts.dev) for name, params in readers.items()}
for name, found in line_losses.items():
    print(f"{name:32} {found.nll:.3f} per symbol   {found.per_character:.4f} per character")

# %% [markdown]
# No model can do better than the grammar, which knows the probability of every choice:


# %%
def nats(text):
    """Returns minus the log probability of a line: its choices, one after the other."""
    noun = np.log(2 * len(NOUNS))  # one or many
    where = np.log(len(PLACES)) + noun - np.log(0.7) if " in " in text else -np.log(0.3)
    return noun + where + np.log(len(VERBS))


grammar_loss = sum(map(nats, parts.dev)) / line_losses["GRU"].tokens
print(f"{'the grammar':32} {grammar_loss:.3f} per symbol")

# %% [markdown]
# Why is the GRU ahead? Read *the king in the tower of the queens*: the verb must agree with *king*, six words back.
# How much of the probability goes to `sings`, `sleeps`, ... and how much to `sing`, `sleep`, ...?

# %%
read = jnp.array(line_vocab.encode("the king in the tower of the queens"))
for name in ("n-gram of order 3", "n-gram of order 8", "GRU"):
    p = jax.nn.softmax(mm_jax.unroll(readers[name], read)[-1])
    one, many = (float(sum(p[line_vocab.symbols.index(verb + end)] for verb in VERBS)) for end in ("s", ""))
    print(f"{name:20} of one {one:.2f}   of many {many:.2f}")

# %% [markdown]
# The n-gram of order 3 sees *the queens* alone, and also expects *in*. That of order 8 sees enough, but it must have
# counted this king, this tower and these queens together; where it has not, it falls back on shorter contexts. The GRU
# carries one fact, one or many, over all that stands between. Three lines:

# %%
mm_jax.sample(readers["GRU"], jax.random.key(13), 3)

# %% [markdown]
# `examples/documents.py` does the same with 31,102 verses. There 13,814 words are too many for a network of this size
# and for these seconds, and counts win.
#
# **Try**: 150 steps in place of 300. What does the GRU know of one and many by then?
# <details><summary>Answer</summary>
#
# Nothing: 0.49 of one, 0.49 of many. Its loss, 0.961, is that of knowing which kind of word comes next; what to carry
# over the words between is learned last.
# </details>
#
# ## 139. What to take along
#
# - **A comparison needs equal sizes, steps and batches**, and the error of the difference. Without that,
#   gates seem to be worth 0.05, and are worth less than 0.01.
# - **Reading the whole word in its order** was worth 0.1 nats a character; counts of five characters, well
#   discounted, as much.
# - **What a part is for** is answered by switching it off, not by looking at it.
# - **Different kinds of models** together were worth another 0.05, more than any change to one of them.
# - **A symbol need not be a character**: the same calls read lines word by word.
#
# Three questions, each answered by changing one number:
#
# 1. How long must the transformer train to pass the GRU? (700 steps, section 129.)
# 2. How many words must a list have until the teacher no longer helps? (`split.train[:1_000]`, section 136.)
# 3. Does a mixture still gain if its counts see two characters only? (`order=6`, section 132.)
#
# **Onward**: `python examples/ladder.py` trains all of these longer; `mm_jax.page.write` makes a web page that draws
# new names from any of them; [CONTRIBUTING](../CONTRIBUTING.md) says how to add a model of your own.
#
# **References**: Cho et al. 2014, [the GRU](https://arxiv.org/abs/1406.1078) · Chung et al. 2014, [gated and plain
# units compared](https://arxiv.org/abs/1412.3555) · Vaswani et al. 2017,
# [attention](https://arxiv.org/abs/1706.03762) · Hendrycks and Gimpel 2016, [gelu](https://arxiv.org/abs/1606.08415)
# · Loshchilov and Hutter 2017, [adamw](https://arxiv.org/abs/1711.05101) · Chen and Goodman 1996,
# [smoothing](https://arxiv.org/abs/cmp-lg/9606011) · Hinton et al. 2015,
# [distillation](https://arxiv.org/abs/1503.02531) · JAX,
# [vmap](https://docs.jax.dev/en/latest/automatic-vectorization.html)
#
# ## All figures

# %%
figures.show("lecture_6_whole_words", globals())
