# %% [markdown]
# # makemore, further: models that read the whole word
#
# The first lecture announces a road: bigram, bag of words, MLP, RNN, transformer. Parts 1 and 2 took the bigram and
# the MLP. This notebook goes on in the same way: each model from its equation, written out and trained in seconds;
# then all of them on one word, on one ladder of losses, and in one mixture; and at the end what limits them all.
#
# - **Read it** here: all outputs and pictures are on the page.
# - **Run it**: `pip install -e '.[notebooks]'`, then `jupyter lab examples/lecture_6_whole_words.ipynb`.
#   It is a script as well: `python examples/lecture_6_whole_words.py`.
# - **The words** are those of `names.txt` if it is found or can be downloaded, otherwise the given names bundled with
#   mm_jax. What the text says about losses holds for `names.txt`.
# - **The figures** of the last table were all computed for this notebook: no lecture prints them. Losses differ a
#   little from processor to processor, so their tolerances are wide.

# %%
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from figures import Figures, columns

import mm_jax
from mm_jax import plotting

plt.rcParams.update({"figure.dpi": 90, "figure.constrained_layout.use": True})
np.set_printoptions(precision=4, suppress=True, linewidth=84)
words = mm_jax.load_words()
split = mm_jax.split_words(words)
vocab = mm_jax.Vocab.from_words(words)
figures = Figures(words)
print(*(f"{name:5} {len(part):6,} words" for name, part in zip(split._fields, split, strict=True)), sep="\n")

# %% [markdown]
# ## 1. Where the window ends
#
# The MLP of part 2 sees three characters. After *bella* and after *isabella* it sees the same three, `lla`, and must
# say the same. It cannot know how long the word is, or how it began.


# %%
def down(t):
    """The learning rate over a run: up over the first twentieth, then down to 0 along a line."""
    return np.minimum(t / 0.05, (1 - t) / 0.95)


def train(params, steps, words=split.train, seed=1, **options):
    return mm_jax.fit(params, words, jax.random.key(seed), steps=steps, optimizer=optax.adamw, decay=down, **options)


mlp = mm_jax.mlp.init(jax.random.key(0), vocab)
mlp, _ = train(mlp, 1_600, batch_size=320, draw="contexts", learning_rate=0.02)


def ends(params, word):
    """The probability that the word ends here."""
    rows = mm_jax.unroll(params, jnp.array(vocab.encode(word)))
    return float(jax.nn.softmax(rows[-1])[0])


for word in ("bella", "isabella", "gabriella"):
    print(f"{word:10} the MLP: P(end) = {ends(mlp, word):.4f}")

figures.add(
    "MLP: P(end) after bella, isabella", ends(mlp, "bella"), ends(mlp, "isabella"), 1e-6, printed=False, names=False
)

# %% [markdown]
# A larger window helps, up to a point: W1 grows with it, most long contexts never occur, and each place in the window
# has weights of its own, so what is learned at one place is not known at the next. What we want is a *state* that
# takes in a whole word with the same weights at each place.
#
# ## 2. A model is a machine that reads
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
print(f"before   state {state}")
for char in "emma":
    likeliest = vocab.chars[int(mm_jax.logits(mlp, state).argmax())]
    state = mm_jax.advance(mlp, state, jnp.int32(vocab.encode(char)[0]))
    print(f"{char}        state {state!s:11}  (expected {likeliest})")

# %% [markdown]
# `unroll` gives the row at every place in one call; training uses it. It is a loop over `advance`, or something faster
# that says the same:

# %%
tokens = jnp.array(vocab.encode("emma"))
rows = mm_jax.unroll(mlp, tokens)
print(
    "unroll:", rows.shape, " the last row is that of the loop:", bool(jnp.allclose(rows[-1], mm_jax.logits(mlp, state)))
)


def read(params, word):
    """The rows of a word, by start, advance and logits."""
    state = mm_jax.start(params)
    rows = [mm_jax.logits(params, state)]
    for token in vocab.encode(word):
        state = mm_jax.advance(params, state, jnp.int32(token))
        rows.append(mm_jax.logits(params, state))
    return jnp.stack(rows)


figures.add("MLP: unroll = the loop", mm_jax.unroll(mlp, tokens), read(mlp, "emma"), 1e-4, printed=False, names=False)

# %% [markdown]
# ## 3. The bag of words
#
# The simplest way to see the whole word: take the average of the vectors of everything read so far. The order is
# lost, as when the letters lie in a bag. Beside it goes the vector of the last character, or the model would not know
# where it stands.
#
#     a      = mean of C[token] over all tokens so far, the first dot included
#     h      = tanh([C[last], a] @ W1 + b1)
#     logits = h @ W2 + b2
#
# By hand, from the arrays; each row t uses the tokens up to t. The mean over all earlier places is one matrix product,
# with a lower triangle whose rows sum to 1. **Remember this triangle**: the transformer has it again.


# %%
def bag_of_words(params, word):
    x = params.C[jnp.array([0, *vocab.encode(word)])]
    triangle = jnp.tril(jnp.ones((len(x), len(x))))
    average = triangle / triangle.sum(1, keepdims=True)
    h = jnp.tanh(jnp.concatenate([x, average @ x], axis=1) @ params.W1 + params.b1[None])
    return h @ params.W2 + params.b2[None], average


bow = mm_jax.bow.init(jax.random.key(3), vocab)
rows, average = bag_of_words(bow, "emma")
print(average)
print("by hand and by mm_jax:", f"{jnp.abs(rows - mm_jax.unroll(bow, tokens)).max():.0e}", "apart")

figures.add("bag of words by hand", mm_jax.unroll(bow, tokens), rows, 1e-4, printed=False, names=False)

# %% [markdown]
# Training draws whole words. They are packed end to end into rows, and each dot starts the state anew, so that no
# place of a batch is wasted. At each place the target is not only the character that followed in this word, but the
# counts of all that followed this beginning in the whole list: same expected gradient, less noise.

# %%
results, models = {}, {}


def keep(name, params):
    """Trained: remember it, and say how it does on dev."""
    models[name] = params
    results[name] = mm_jax.evaluate(params, split.dev, seen=split.train)
    train_nll = mm_jax.evaluate(params, split.train[:3_000]).nll
    print(f"{name}: {mm_jax.num_params(params):,} parameters")
    print(f"train {train_nll:.4f}, dev {results[name].nll:.4f} +- {results[name].stderr:.4f}")


keep("MLP, 3 characters", mlp)
bow, _ = train(bow, 600, batch_size=64, learning_rate=1e-2)
keep("bag of words", bow)
for word in ("bella", "isabella", "gabriella"):
    print(f"{word:10} P(end) = {ends(bow, word):.4f}")

# %% [markdown]
# Now the three differ. The model knows what was in the word, and how much of it.
#
# ## 4. The recurrent network (RNN)
#
# One vector h is carried along. Each character changes it:
#
#     h      = tanh(C[token] + h @ W1 + b1)        h is 0 before the first dot
#     logits = h @ W2 + b2
#
# The same C, W1 and b1 at every place. Order counts again, and nothing says how far back h may remember.


# %%
def rnn_rows(params, word):
    h = jnp.zeros(params.W1.shape[0])
    rows = []
    for token in [0, *vocab.encode(word)]:
        h = jnp.tanh(params.C[token] + h @ params.W1 + params.b1)
        rows.append(h @ params.W2 + params.b2)
    return jnp.stack(rows)


rnn = mm_jax.rnn.init(jax.random.key(4), vocab, hidden_dim=128)
print("by hand and by mm_jax:", f"{jnp.abs(rnn_rows(rnn, 'emma') - mm_jax.unroll(rnn, tokens)).max():.0e}", "apart")
figures.add("RNN by hand", mm_jax.unroll(rnn, tokens), rnn_rows(rnn, "emma"), 1e-4, printed=False, names=False)

rnn, _ = train(rnn, 1_000, batch_size=64, learning_rate=5e-3)
keep("RNN", rnn)

# %% [markdown]
# Its weakness: at each step all of h goes through W1 and a tanh. What was read long ago is overwritten, and the
# gradient that should teach the network to keep it fades on its way back: at each place it is multiplied with W1 and
# the slope of tanh. Measure it: nudge the state after each character, and ask how much the loss of the word's end
# changes. Mean over all dev words of eight letters, relative to a nudge at the end:

# %%
eight = jnp.array([[0, *vocab.encode(word)] for word in split.dev if len(word) == 8])


def reach(cell, params):
    """The size of the gradient of the last loss, with respect to the state after each character; the last is 1."""

    def last_nll(nudges, read):
        h = jnp.zeros(params.W2.shape[0])
        for token, nudge in zip(read, nudges, strict=True):
            h = cell(params, params.C[token], h) + nudge
        return -jax.nn.log_softmax(h @ params.W2 + params.b2)[0]

    still = jnp.zeros((9, params.W2.shape[0]))
    sizes = jnp.linalg.norm(jax.vmap(jax.grad(last_nll), (None, 0))(still, eight), axis=2).mean(0)
    return sizes / sizes[-1]


def rnn_cell(params, x, h):
    return jnp.tanh(x + h @ params.W1 + params.b1)


reach_rnn = reach(rnn_cell, rnn)
print("characters back   RNN")
for back, share in enumerate(reach_rnn[::-1]):
    print(f"{back:<15}   {share:.2f}  {'#' * int(share * 40)}")

# %% [markdown]
# ## 5. The gated recurrent unit (GRU)
#
# Let the network decide, for each number of h, how much to keep. Two gates between 0 and 1, computed from character and
# state:
#
#     r = sigmoid(x_r + s_r)                  how much of the state the new value sees
#     z = sigmoid(x_z + s_z)                  how much of the state is kept
#     n = tanh(x_n + r * s_n)                 the new value
#     h = z * h + (1 - z) * n
#
# where x is what the character gives to the three, C[token] + b1, and s what the state gives, h @ W1. Where z is 1 the
# number passes unchanged, and so does its gradient. That is the whole trick.


# %%
def gru_cell(params, x, h):
    bias = jnp.concatenate([jnp.zeros_like(h), jnp.zeros_like(h), params.bn])
    x_r, x_z, x_n = jnp.split(x + params.b1, 3)
    s_r, s_z, s_n = jnp.split(h @ params.W1 + bias, 3)
    r, z = jax.nn.sigmoid(x_r + s_r), jax.nn.sigmoid(x_z + s_z)
    n = jnp.tanh(x_n + r * s_n)
    return z * h + (1 - z) * n


def gru_rows(params, word):
    h, rows = jnp.zeros(params.W1.shape[0]), []
    for token in [0, *vocab.encode(word)]:
        h = gru_cell(params, params.C[token], h)
        rows.append(h @ params.W2 + params.b2)
    return jnp.stack(rows)


gru = mm_jax.gru.init(jax.random.key(5), vocab, hidden_dim=128)
print("by hand and by mm_jax:", f"{jnp.abs(gru_rows(gru, 'emma') - mm_jax.unroll(gru, tokens)).max():.0e}", "apart")
figures.add("GRU by hand", mm_jax.unroll(gru, tokens), gru_rows(gru, "emma"), 1e-4, printed=False, names=False)

gru, _ = train(gru, 1_200, batch_size=64, learning_rate=5e-3)
keep("GRU", gru)
reach_gru = reach(gru_cell, gru)
print("characters back   RNN   GRU")
for back, (share_rnn, share_gru) in enumerate(zip(reach_rnn[::-1], reach_gru[::-1], strict=True)):
    print(f"{back:<15}   {share_rnn:.2f}  {share_gru:.2f}  {'#' * int(share_gru * 40)}")

# %% [markdown]
# Gradients reach further back in the GRU, by a fair amount and not by magic: the first letters of a name of eight are
# not far away. On long texts this difference decides everything. The GRU's loss is lower also because its gates make
# it the richer model, with nearly three times the parameters.

# %% [markdown]
# ## 6. The transformer
#
# The recurrent networks fold all they read into one vector. A transformer keeps a vector for *each* place, and lets
# each place look back at all earlier ones. Where the bag of words took the plain average, with the same weight
# everywhere, **attention computes the weights**: each place asks a question (a query q), each earlier place has a
# label (a key k) and something to say (a value v). The better question and label fit, the greater the weight.
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
# straight through. `norm` brings each x to mean 0 and variance 1, times a gain, plus a shift. By hand, the attention
# weights kept to look at:


# %%
def norm(x, gain, shift):
    centred = x - x.mean(1, keepdims=True)
    return gain[None] * centred / jnp.sqrt((centred**2).mean(1, keepdims=True) + 1e-5) + shift[None]


def transformer_rows(params, word):
    """The rows of a word, and the attention weights [blocks, heads, places, places]."""
    read = jnp.array([0, *vocab.encode(word)])
    length, kept = len(read), []
    triangle = jnp.tril(jnp.ones((length, length), bool))
    x = params.C[read] + params.P[:length]
    for block in params.blocks:
        qkv = norm(x, block.gain1, block.shift1) @ block.Wqkv + block.bqkv[None]
        q, k, v = (part.reshape(length, params.num_heads, -1) for part in jnp.split(qkv, 3, axis=1))
        fit = jnp.einsum("thc,shc->hts", q, k) / q.shape[-1] ** 0.5
        weights = jax.nn.softmax(jnp.where(triangle[None], fit, -jnp.inf), axis=-1)
        kept.append(weights)
        looked_up = jnp.einsum("hts,shc->thc", weights, v).reshape(length, -1)
        x = x + looked_up @ block.Wo + block.bo[None]
        inner = jax.nn.gelu(norm(x, block.gain2, block.shift2) @ block.W1 + block.b1[None])
        x = x + inner @ block.W2 + block.b2[None]
    return norm(x, params.gain, params.shift) @ params.Wu + params.bu[None], jnp.stack(kept)


transformer = mm_jax.transformer.init(jax.random.key(6), vocab, num_layers=2, num_heads=4, width=64)
apart = jnp.abs(transformer_rows(transformer, "emma")[0] - mm_jax.unroll(transformer, tokens)).max()
print("by hand and by mm_jax:", f"{apart:.0e}", "apart")
expected = mm_jax.unroll(transformer, tokens)
figures.add("transformer by hand", expected, transformer_rows(transformer, "emma")[0], 1e-3, printed=False, names=False)

transformer, _ = train(transformer, 700, batch_size=32, learning_rate=4e-3)
keep("transformer", transformer)

# %% [markdown]
# What does it attend to? Each small table is one head: the row is the place that looks, the column what it looks at.
# Places ahead are empty. Some heads look at the character just before, some at the start of the word, some spread.

# %%
word = "isabella"
_, attended = transformer_rows(transformer, word)
figure, axes = plt.subplots(2, 4, figsize=(12, 6.4))
for (layer, head), ax in zip(np.ndindex(2, 4), axes.flat, strict=True):
    plotting.attention(attended[layer, head], "." + word, ax)
    ax.set_title(f"block {layer + 1}, head {head + 1}", fontsize=9)
    ax.label_outer()

# %% [markdown]
# ## 7. The same word, read by all
#
# Nats for each character: the redder, the more surprising. A bigram and a Kneser-Ney model stand beside the networks.
# **Kneser-Ney** is counting done well: the last five characters, and where those were seen too rarely, the last four,
# and so on, with a discount taken off each count and given to the shorter context.

# %%
counted = mm_jax.counts.fit(split.train, vocab, smoothing=1.0)
kneser_ney = mm_jax.ngram.fit(split.train, vocab, order=6)
keep("bigram", counted)
keep("Kneser-Ney, order 6", kneser_ney)
order = ["bigram", "MLP, 3 characters", "bag of words", "RNN", "GRU", "transformer", "Kneser-Ney, order 6"]
figure, ax = plt.subplots(figsize=(10, 5.6))
_ = plotting.heat({name: mm_jax.score(models[name], "isabella") for name in order}, ax)

# %% [markdown]
# All pay for the i at the start: few names begin with it, and no context can help. The more a model remembers, the
# surer it becomes towards the end: `isabell` has one likely end.
#
# And a word no model was trained on, made up:

# %%
figure, ax = plt.subplots(figsize=(10, 5.6))
_ = plotting.heat({name: mm_jax.score(models[name], "makemora") for name in order}, ax)

# %% [markdown]
# ## 8. The ladder, and a mixture
#
# All on dev, with one standard error (clustered by word: the characters of a word are not independent). Hollow points
# are the loss on the dev words that are not in the training list.
#
# A **mixture** lets several models vote: its probability of the next character is a weighted mean of theirs. Its
# weights must be fitted on words none of the members was trained on, and judged on others: fit on one half of dev,
# read all on the other.

# %%
half, other_half = split.dev[::2], split.dev[1::2]
parts = {"GRU": gru, "transformer": transformer, "Kneser-Ney": kneser_ney}
mixture = mm_jax.mixture.fit(list(parts.values()), half)
models["mixture of three"] = mixture
print("weights:", *(f"{name} {weight:.2f}" for name, weight in zip(parts, mixture.weights, strict=True)), sep="   ")
ladder = {
    name: mm_jax.evaluate(models[name], other_half, seen=split.train)
    for name in sorted([*order, "mixture of three"], key=lambda name: -mm_jax.evaluate(models[name], other_half).nll)
}
print(f"{'model':20} {'parameters':>10}  {'dev':6}  {'+-':6}  unseen")
for name, found in ladder.items():
    size = f"{mm_jax.num_params(models[name]):,}" if "mixture" not in name else "all three"
    print(f"{name:20} {size:>10}  {found.nll:.4f}  {found.stderr:.4f}  {found.nll_unseen:.4f}")

# %%
figure, ax = plt.subplots(figsize=(8, 5))
_ = plotting.ladder(ladder, ax)

# %% [markdown]
# Three lessons:
#
# - **Reading the whole word pays, in its order.** The bag of words forgets the order, and is no better than three
#   characters in theirs. The others are better, after seconds of training.
# - **Counting done well is hard to beat.** Kneser-Ney takes no gradient step, and has the lowest loss of all single
#   models here. But it learns by heart: on unseen words the GRU is ahead.
# - **Models of different kinds err in different places**, so their mixture is better than each of them. The gain is
#   surer than the error bars suggest, for all are judged on the same words.
#
# Longer training moves the networks further down; `python examples/ladder.py` shows where to.
#
# ## 9. What limits them: overfitting
#
# With more steps and larger networks the training loss goes on falling. Dev does not. To see it in seconds, take 1,000
# words only.

# %%
few = split.train[:1_000]
curves = {}
for name, options in {
    "nothing": {},
    "drop 20% of the characters": {"drop_tokens": 0.2},
    "half the targets from Kneser-Ney": {"teach": 0.5},
}.items():
    small = mm_jax.gru.init(jax.random.key(9), vocab, hidden_dim=128)
    small, history = train(small, 500, words=few, batch_size=32, learning_rate=5e-3, dev=split.dev[:1_000], **options)
    curves[name] = history.dev
    found = mm_jax.evaluate(small, split.dev)
    print(f"{name:34} train {mm_jax.evaluate(small, few).nll:.3f}  dev {found.nll:.3f}")
alone = mm_jax.evaluate(mm_jax.ngram.fit(few, vocab, order=6), split.dev).nll
print(f"{'Kneser-Ney of these words, alone':34} dev {alone:.3f}")

# %%
figure, ax = plt.subplots(figsize=(8, 4.2))
for name, dev in curves.items():
    ax.plot(*zip(*dev[1:], strict=True), "o-", markersize=3, label=name)
ax.axhline(alone, color="0.4", linestyle="--", linewidth=1, label="Kneser-Ney alone")
ax.set(xlabel="step", ylabel="dev, nats per character")
ax.grid(alpha=0.3)
_ = ax.legend()

# %% [markdown]
# Without help dev turns up: the network has room to learn the 1,000 words by heart, and each further step makes it
# surer of them and less sure of all others. What helps makes learning by heart harder:
#
# - **Dropping input characters**: a word is never seen twice in the same form.
# - **Softer targets**: in place of the one character that followed, partly what a smoothed count model expects there.
# - **More words**, if they can be had; and fewer steps, if not.
#
# ## 10. Names
#
# The same key for all: watch them become names.

# %%
shown = ["bigram", "MLP, 3 characters", "GRU", "transformer", "mixture of three"]
print(columns({name: mm_jax.sample(models[name], jax.random.key(10), 12) for name in shown}))

# %% [markdown]
# All choices are made. **Test, once**, for the one with the lowest loss on dev:

# %%
best = min(ladder, key=lambda name: ladder[name].nll)
final = mm_jax.evaluate(models[best], split.test, seen=split.train)
print(f"{best}: test {final.nll:.4f} +- {final.stderr:.4f}")
print(f"over the words of test that are not in train: {final.nll_unseen:.4f} +- {final.stderr_unseen:.4f}")

# %% [markdown]
# ## All figures

# %%
for name, expected in {
    "MLP, 3 characters": 2.0944,
    "bag of words": 2.0909,
    "RNN": 2.0506,
    "GRU": 1.9904,
    "transformer": 2.0432,
}.items():
    figures.add(f"dev, {name}", expected, results[name].nll, 0.02, printed=False)
figures.add("dev, bigram", 2.4533, results["bigram"].nll, 1e-4, printed=False)
figures.add("dev, Kneser-Ney", 1.9740, results["Kneser-Ney, order 6"].nll, 2e-3, printed=False)
figures.show()
