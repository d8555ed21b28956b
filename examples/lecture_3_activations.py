# %% [markdown]
# # makemore, part 3: activations, gradients, batch normalization
#
# The network of part 2 trains, but badly at first. This part finds out why, and builds the instruments that show it.
# Afterwards you will be able to
#
# - say what the first loss should be, and start there;
# - see a saturated layer, and choose the scale of the weights that prevents it;
# - write batch normalization with its statistics as explicit state, and remove it again after training;
# - read activations, gradients and updates of a deep network, for many settings in one call;
# - draw the same instruments for any model of the package.
#
# [Video of the lecture](https://www.youtube.com/watch?v=P6sfmUTpUmc) ·
# before: [lecture_2_mlp](lecture_2_mlp.ipynb) · next: [lecture_4_backprop](lecture_4_backprop.ipynb) ·
# [open in Colab](https://colab.research.google.com/github/mm-jax/mm_jax/blob/main/examples/lecture_3_activations.ipynb)
#
# **Contents**
#
# - The start: 57 without magic numbers · 58 the run · 59 the loss at the start · 60 the hockey stick
# - Activations: 61 saturated tanh · 62 other activations · 63 smaller weights · 64 Kaiming
# - Batch normalization: 65 standardise · 66 statistics as state (10 s) · 67 the price · 68 one name · 69 three details
#   · 70 the whole run · 71 a named axis · 72 folded · 73 elsewhere
# - Six layers: 74 taps · 75 four gains · 76 fifty layers (10 s) · 77 batch norm and instruments · 78 something is wrong
#   · 79 without tanh · 80 losses and names · 81 any model
# - Extras: 82 five numbers · 83 one linear layer · 84 exercises
#
# It runs in about a minute. `pip install -e '.[notebooks]'`, then `jupyter lab examples/lecture_3_activations.ipynb`;
# the source is a script as well. The words are those of `names.txt`, or the bundled given names; figures in the text
# hold for `names.txt`. The lecture's weights, minibatches and letters come from a seeded generator, which
# `torch_random.py` repeats: the runs of its networks are **the lecture's own**; what the lecture does not have, such
# as section 76, uses JAX's keys. Five runs of 200,000 steps take minutes; they are made with the environment variable
# `MM_JAX_LONG=1`, and the last table says what they gave.

# %%
# On Colab, or away from the project's folder: fetches it, and works in its examples.
import importlib.util
import os

if not importlib.util.find_spec("figures"):
    os.system("git clone -q --depth 1 https://github.com/mm-jax/mm_jax && pip install -q './mm_jax[notebooks]'")
    os.chdir("mm_jax/examples")

# %%
import functools
import itertools
import tempfile

import figures
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from torch_random import TorchGenerator

import mm_jax
from mm_jax import plotting

plt.rcParams.update({"figure.dpi": 90, "figure.constrained_layout.use": True})
np.set_printoptions(precision=4, suppress=True, linewidth=90)

# %% [markdown]
# ## 57. Start again, without magic numbers
#
# Part 2's network, its sizes with names. The contexts are those of part 2, now from the package. The lecture says "val"
# for what the package calls dev.

# %%
words = mm_jax.load_words()
vocab = mm_jax.Vocab.from_words(words)
split = mm_jax.split_words(words)
block_size, embedding_dim, hidden_dim, batch_size = 3, 10, 200, 32

# %%
X, Y = map(jnp.array, mm_jax.corpus.contexts(split.train, vocab, block_size))
X_dev, Y_dev = map(jnp.array, mm_jax.corpus.contexts(split.dev, vocab, block_size))
X.shape, Y.shape, X_dev.shape

# %% [markdown]
# One generator gives the weights, and then the row numbers of every minibatch, in this order. All 6,400,000 row numbers
# are drawn at once.

# %%
generator = TorchGenerator(2147483647)
drawn = {
    "C": generator.randn(len(vocab), embedding_dim),
    "W1": generator.randn(block_size * embedding_dim, hidden_dim),
    "b1": generator.randn(hidden_dim),
    "W2": generator.randn(hidden_dim, len(vocab)),
    "b2": generator.randn(len(vocab)),
}
rows = jnp.array(generator.randint(len(X), 200_000, batch_size), jnp.int32)


# %%
def start(**scales):
    """The drawn weights, each times its scale."""
    return {name: jnp.array(array * np.float32(scales.get(name, 1))) for name, array in drawn.items()}


# %%
original = start()
num_parameters = sum(leaf.size for leaf in jax.tree.leaves(original))
num_parameters

# %% [markdown]
# The forward pass in two steps, because this lecture looks at what lies between: the pre-activations, which go into
# tanh.


# %%
def preactivations(params, X):
    return params["C"][X].reshape(len(X), -1) @ params["W1"] + params["b1"]  # (32, 200)


# %%
def logits(params, X):
    return jnp.tanh(preactivations(params, X)) @ params["W2"] + params["b2"]  # (32, 27)


# %%
def cross_entropy(logits, Y):
    return optax.softmax_cross_entropy_with_integer_labels(logits, Y).mean()


# %%
def loss(params, X, Y):
    return cross_entropy(logits(params, X), Y)


# %% [markdown]
# > **In torch** the evaluation stands under `@torch.no_grad()`, so that no graph is recorded for a backward pass. In
# > JAX there is nothing to switch off: only what `jax.grad` is asked to differentiate is ever recorded.
#
# ## 58. The run
#
# 200,000 steps on 32 examples each, with rate 0.1 and, from step 100,000, 0.01. `jax.lax.scan` runs the whole loop in
# one compiled call. It hands each step a row of `rows` and a rate, and stacks what the step returns: the losses.


# %%
@jax.jit
def train(params, rows, rates):
    def step(params, at):
        batch, rate = at
        value, gradients = jax.value_and_grad(loss)(params, X[batch], Y[batch])
        return jax.tree.map(lambda p, g: p - rate * g, params, gradients), value

    return jax.lax.scan(step, params, (rows, rates))


# %%
rates = jnp.where(jnp.arange(200_000) < 100_000, 0.1, 0.01)
early = slice(20_001)  # the steps that this notebook makes

# %%
trained, losses = train(original, rows[early], rates[early])
for step in (0, 10_000, 20_000):
    print(f"{step:7,}/200,000: {losses[step]:.4f}")

# %% [markdown]
# The lecture goes to the end and reaches 2.1245 on train and 2.1682 on val. Names from the 20,000 steps made here are
# better than the bigram's, and not good:

# %%
print(*mm_jax.sample(mm_jax.MLP(**trained, vocab=vocab), jax.random.key(51), 8), sep="  ")

# %% [markdown]
# ## 59. The loss at the start
#
# The first loss is 27.88. What should it be? Before training nothing is known, so every character should get the same
# probability.

# %%
first_loss = loss(original, X[rows[0]], Y[rows[0]])
expected_loss = -jnp.log(1 / len(vocab))
print(f"first loss {first_loss:.4f}; all {len(vocab)} equally likely {expected_loss:.4f}")


# %% [markdown]
# The network is *confident and wrong*. With four logits and the label 2:


# %%
def four(*row):
    return cross_entropy(jnp.array([row]), jnp.array([2]))


# %%
four_rows = [(0.0, 0.0, 0.0, 0.0), (0.0, 0.0, 5.0, 0.0), (0.0, 5.0, 0.0, 0.0), (-3.0, 5.0, 0.0, 2.0)]
for row in four_rows:
    print(f"{row!s:24} loss {four(*row):.4f}")

# %% [markdown]
# Equal logits give ln 4. Unequal ones are a bet: cheap if right, dear if wrong. Normal logits, times 1, 10 and 100:

# %%
bet = jax.random.normal(jax.random.key(52), (1000, 4))
for scale in (1, 10, 100):
    print(f"times {scale:3}: mean loss {cross_entropy(scale * bet, jnp.full(1000, 2)):7.2f}")

# %% [markdown]
# And these are the network's first logits. They should be near 0, and near each other:

# %%
first_logits = logits(original, X[rows[0]])[0]
first_logits

# %% [markdown]
# Logits are h @ W2 + b2. So set b2 to 0, and make W2 smaller.

# %%
scaled_W2 = {}
for scale in (1, 0.1, 0.01, 0):
    scaled_W2[scale] = float(loss(start(W2=scale, b2=0), X[rows[0]], Y[rows[0]]))
    print(f"b2 = 0, W2 times {scale:<4}: first loss {scaled_W2[scale]:.4f}")

# %% [markdown]
# With W2 = 0 the loss is exactly ln 27. Yet weights that are exactly 0 are a bad habit: no gradient passes back through
# W2 in the first step, and if every matrix is 0, none ever will (section 84). Small and random is enough.
#
# **In one call.** The scale is a number that goes into a function, and `jax.vmap` runs the function for many of them:


# %%
def loss_at(scale):
    params = {**original, "W2": scale * original["W2"], "b2": 0 * original["b2"]}
    return loss(params, X[rows[0]], Y[rows[0]])


# %%
scales = jnp.concatenate([jnp.zeros(1), jnp.geomspace(0.001, 1, 61)])
losses_at = jax.jit(jax.vmap(loss_at))(scales)  # (62,)

# %%
figure, ax = plt.subplots(figsize=(7, 3))
ax.loglog(scales[1:], losses_at[1:])
ax.axhline(losses_at[0], color="black", linewidth=1, label=f"W2 = 0: {losses_at[0]:.4f}")
ax.loglog([0.01, 0.1, 1], [scaled_W2[s] for s in (0.01, 0.1, 1)], "o", label="0.01, 0.1, 1")
ax.set(xlabel="scale of W2", ylabel="first loss", yticks=[3, 5, 10, 30], yticklabels=["3", "5", "10", "30"])
ax.minorticks_off()
_ = ax.legend()

# %% [markdown]
# **Try** W2 = 0 and b2 = 0, and look at the gradient of W1 before and after one step. What do you expect?
#
# <details><summary>Answer</summary>
#
# It is 0 at first, since W2 = 0 lets nothing through. W2 itself gets a gradient from h, which is not 0; so after one
# step W2 is no longer 0, and W1 learns from the second step on:
#
# ```python
# zero_W2 = start(W2=0, b2=0)
# after, _ = train(zero_W2, rows[:1], rates[:1])
# for params in (zero_W2, after):
#     print(jnp.abs(jax.grad(loss)(params, X[rows[1]], Y[rows[1]])["W1"]).max())
# ```
#
# </details>
#
# ## 60. The hockey stick is gone
#
# The lecture tries four starts, one after the other. They share their draws and differ in scales alone, so here they
# are *one population*: the four pytrees stacked, `train` under `vmap`. The other two starts are explained in sections
# 63 and 64.

# %%
starts = {
    "original": original,
    "softmax": start(W2=0.01, b2=0),
    "tanh": start(W1=0.2, b1=0.01, W2=0.01, b2=0),
    "Kaiming": start(W1=(5 / 3) / 30**0.5, b1=0.01, W2=0.01, b2=0),
}
stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *starts.values())
jax.tree.map(jnp.shape, stacked)

# %%
_, four_losses = jax.vmap(train, (0, None, None))(stacked, rows[:10_001], rates[:10_001])
four_losses = dict(zip(starts, np.array(four_losses), strict=True))
{name: float(values[0].round(4)) for name, values in four_losses.items()}


# %%
def smoothed(values, width):
    return values[: len(values) // width * width].reshape(-1, width).mean(1)


# %%
figure, axes = plt.subplots(1, 2, figsize=(10, 3.2))
for ax, end, width in ((axes[0], 500, 1), (axes[1], 10_000, 200)):
    for name in ("original", "softmax"):
        line = smoothed(four_losses[name][:end], width)
        ax.plot(np.arange(len(line)) * width, np.log10(line), label=name)
    ax.set(xlabel="step", ylabel="log10 of the loss")
axes[0].set_title("the first 500 steps")
axes[1].set_title("10,000 steps, mean of 200")
_ = axes[1].legend()

# %% [markdown]
# The upper curve is the *hockey stick*: a steep fall, then a long flat part. The fall only squeezes the logits
# together, which is no longer needed. The steps go into the hard part, and after 200,000 of them the losses are
# lower: 2.07 on train and 2.13 on val in place of 2.12 and 2.17.
#
# ## 61. Saturated tanh
#
# The second fault is hidden. All 6,400 hidden values of the first batch, and what went into tanh ("deviation" is the
# standard deviation, here and below):


# %%
def histograms(params):
    pre = preactivations(params, X[rows[0]])
    _, axes = plt.subplots(1, 2, figsize=(10, 2.6))
    for ax, values, name in ((axes[0], pre, "pre-activations"), (axes[1], jnp.tanh(pre), "after tanh")):
        ax.hist(np.array(values).ravel(), 50)
        ax.set_title(f"{name}: from {values.min():.2f} to {values.max():.2f}, deviation {values.std():.2f}")


# %%
histograms(original)

# %% [markdown]
# Most values are -1 or 1. That hurts, because of the slope of tanh. With t = tanh(x) it is 1 - t²: at t = 0 the whole
# gradient passes, at t = 1 nothing does. It is never above 1, so tanh can only shrink a gradient. `jax.grad` gives
# the slope at one x, and `vmap` at all of them:

# %%
x = jnp.linspace(-5, 5, 201)
slope = jax.vmap(jax.grad(jnp.tanh))(x)
figure, axes = plt.subplots(2, 1, figsize=(6, 3.6), sharex=True)
axes[0].plot(x, jnp.tanh(x))
axes[0].set_title("tanh")
axes[1].fill_between(x, slope, alpha=0.3)
axes[1].set_title("its slope: the share of the gradient that passes")
print(f"slope - (1 - tanh²): at most {jnp.abs(slope - (1 - jnp.tanh(x) ** 2)).max():.0e}")

# %% [markdown]
# Which hidden values are flat? One row an example, one column a neuron, white where |h| > 0.99:


# %%
def saturation(params):
    flat = jnp.abs(jnp.tanh(preactivations(params, X[rows[0]]))) > 0.99  # (32, 200)
    _, ax = plt.subplots(figsize=(11, 2.3))
    ax.imshow(flat, cmap="gray", interpolation="nearest", aspect="auto")
    ax.set(xlabel="neuron", ylabel="example", title=f"{flat.mean():.2%} white, dead neurons: {flat.all(0).sum()}")
    return flat


# %%
flat = saturation(original)

# %% [markdown]
# A column that is all white is a **dead neuron**: no example of the batch teaches it anything. There is none here, but
# with six in ten values flat most of the gradient is lost.
#
# ## 62. Other activations
#
# All but leaky ReLU and maxout have flat parts (shaded: slope below 0.01); ELU only far to the left. ReLU is flat on
# one half: a neuron whose inputs all fall there is dead. It can be so from the start, or a step that was too
# large can put it there, and it never comes back.


# %%
def leaky(x):
    return jax.nn.leaky_relu(x, 0.1)


# %%
def maxout(x):
    return jnp.maximum(0.8 * x + 0.5, -0.3 * x)  # the larger of two linear neurons


# %%
activations = {
    "sigmoid": jax.nn.sigmoid,
    "tanh": jnp.tanh,
    "ReLU": jax.nn.relu,
    "ELU": jax.nn.elu,
    "leaky ReLU": leaky,
    "maxout": maxout,
}
x = jnp.linspace(-8, 8, 401)
figure, axes = plt.subplots(2, 3, figsize=(10, 4.2), sharex=True)
for ax, (name, activation) in zip(axes.flat, activations.items(), strict=True):
    ax.plot(x, activation(x))
    shaded = jnp.abs(jax.vmap(jax.grad(activation))(x)) < 0.01
    ax.fill_between(x, 0, 1, where=shaded, transform=ax.get_xaxis_transform(), color="tab:red", alpha=0.15, linewidth=0)
    ax.set_title(f"{name}: {shaded.mean():.0%} flat")

# %% [markdown]
# ## 63. Smaller weights
#
# The pre-activations are too large because W1 is. With W1 times 0.1, tanh is hardly used; with W1 times 0.2 it is used
# and not saturated. b1 times 0.01: not exactly 0, for variety.

# %%
for scale in (1, 0.5, 0.2, 0.1):
    pre = preactivations(start(W1=scale, b1=0.01), X[rows[0]])
    print(f"W1 times {scale:3}: deviation {pre.std():.2f}, flat {(jnp.abs(jnp.tanh(pre)) > 0.99).mean():6.2%}")

# %%
histograms(starts["tanh"])

# %%
flat_tanh = saturation(starts["tanh"])

# %% [markdown]
# Final losses 2.0356 on train and 2.1027 on val: lower again, for the same network and the same steps.
#
# One hidden layer forgives a bad start; it only costs time. The deeper the network, the less it forgives: section 76
# shows fifty layers that have hardly learned anything after 120 steps.
#
# ## 64. How large should weights be?
#
# 0.2 was found by trying. What would have told us? Take normal inputs and normal weights:

# %%
x_key, w_key = jax.random.split(jax.random.key(57))
inputs = jax.random.normal(x_key, (1000, 10))
weights = jax.random.normal(w_key, (10, 200))
outputs = inputs @ weights
print(f"x {inputs.std():.2f}   y {outputs.std():.2f}   sqrt(10) {10**0.5:.2f}")

# %%
figure, axes = plt.subplots(1, 2, figsize=(9, 2.4), sharex=True)
for ax, values, name in ((axes[0], inputs, "x"), (axes[1], outputs, "y = x @ w")):
    ax.hist(np.array(values).ravel(), 50, density=True)
    ax.set_title(f"{name}: deviation {values.std():.2f}")

# %% [markdown]
# y is normal too, but wider: each value adds up 10 products, so its variance is 10. Scaling w scales y:

# %%
for name, scale in (("5", 5), ("0.2", 0.2), ("1 / sqrt(10)", 10**-0.5)):
    print(f"w times {name:12}: y {(inputs @ (scale * weights)).std():.2f}")

# %% [markdown]
# So divide by the square root of the number of inputs, the **fan-in**. A nonlinearity then squeezes the values, and a
# **gain** makes up for it: sqrt(2) for ReLU, which throws away one half (He et al., 2015); torch takes 5/3 for tanh,
# and 1 for none. (The paper also asks whether to divide by the fan-in or by the fan-out, the number of outputs, which
# keeps the gradients' size; the two differ by a constant factor, and either will do.) In JAX:

# %%
kaiming = jax.nn.initializers.variance_scaling((5 / 3) ** 2, "fan_in", "normal")
print(f"{kaiming(w_key, (30, 200)).std():.4f}, expected (5/3) / sqrt(30) = {(5 / 3) / 30**0.5:.4f}")

# %% [markdown]
# `jax.nn.initializers.he_normal` is something else: a *truncated* normal distribution, with the gain of ReLU.
#
# > **In torch**: `torch.nn.init.kaiming_normal_(w, nonlinearity="tanh")`. The initialisation of `torch.nn.Linear`
# > itself is uniform in ± 1 / sqrt(fan-in), a deviation of 0.58 / sqrt(fan-in).
#
# **Where does 5/3 come from?** Feed a normal distribution of deviation s through many layers: s becomes the deviation
# of tanh(gain · s · z). Iterate, for several gains at once:

# %%
z = jax.random.normal(jax.random.key(5), (20_000,))
gains = jnp.array([0.5, 1.0, 5 / 3, 3.0])


# %%
def through_layers(gain, layers=30):
    def layer(std, _):
        return jnp.tanh(gain * std * z).std(), std

    return jax.lax.scan(layer, 1.0, length=layers)[1]


# %%
deviations = jax.jit(jax.vmap(through_layers))(gains)  # (4, 30)
figure, ax = plt.subplots(figsize=(7, 3))
for gain, line in zip(gains, deviations, strict=True):
    ax.plot(line, label=f"gain {gain:.3g}: {line[-1]:.2f}")
ax.set(xlabel="layer", ylabel="deviation after tanh")
_ = ax.legend(loc="upper right", bbox_to_anchor=(1, 0.62))

# %% [markdown]
# At gain 1 the signal still fades, slowly; 3 saturates; 5/3 settles near 0.65, neither small nor flat. Now W1 by this
# rule:

# %%
pre_kaiming = preactivations(starts["Kaiming"], X[rows[0]])
print(
    f"W1 times {(5 / 3) / 30**0.5:.4f}: deviation {pre_kaiming.std():.2f}, first loss {four_losses['Kaiming'][0]:.4f}"
)
print(f"flat {(jnp.abs(jnp.tanh(pre_kaiming)) > 0.99).mean():.2%}")

# %% [markdown]
# Final losses 2.0377 and 2.1070: as good as the number found by trying, and without trying.
#
# Today less hangs on this than in 2015, thanks to residual connections, better optimizers, and normalization layers -
# which come now.
#
# **Try** the gains of `through_layers` with ReLU in place of tanh, and look at sqrt(2).
#
# <details><summary>Answer</summary>
#
# The deviation alone is not what ReLU keeps, since its outputs have a positive mean: it is the mean square. With it,
# gain sqrt(2) keeps it near 1 (1.29 after 30 layers, by chance of the draw); gain 1 is at 6e-5 by then.
#
# ```python
# def through_relu(gain, layers=30):
#     def layer(size, _):
#         return jnp.sqrt((jax.nn.relu(gain * size * z) ** 2).mean()), size
#     return jax.lax.scan(layer, 1.0, length=layers)[1]
#
# print(through_relu(2**0.5)[-1], through_relu(1.0)[-1])
# ```
#
# </details>
#
# ## 65. Batch normalization
#
# We want pre-activations of mean 0 and deviation 1. Ioffe and Szegedy (2015): then *make* them so. Standardising is
# made of sums, products and a root, so gradients pass through it. Mean and deviation are over the batch, axis 0, one
# for each neuron.

# %%
pre = preactivations(original, X[rows[0]])
mean, std = pre.mean(0, keepdims=True), pre.std(0, keepdims=True, ddof=1)  # (1, 200) each
standardised = (pre - mean) / std
print(mean.shape, std.shape)
print("deviations of four neurons:", pre.std(0, ddof=1)[:4], "after:", standardised.std(0, ddof=1)[:4])

# %% [markdown]
# > **In torch** `x.std(0)` divides by n - 1 (Bessel's correction); in JAX and NumPy by n, unless told `ddof=1`. With 32
# > rows the difference is 1.6%, enough to miss every figure of the lecture.
#
# But only *at the start* they should be so. Later the network may want them elsewhere. A **gain** of ones and a
# **bias** of zeros, both trained, let it move them, even back to where they were. b1 goes: section 69 says why.

# %%
generator_bn = TorchGenerator(2147483647)  # b1 is not drawn now, so W2 and all rows are others
start_bn = {
    "C": generator_bn.randn(len(vocab), embedding_dim),
    "W1": generator_bn.randn(block_size * embedding_dim, hidden_dim) * np.float32((5 / 3) / 30**0.5),
    "gain": np.ones((1, hidden_dim), np.float32),
    "bias": np.zeros((1, hidden_dim), np.float32),
    "W2": generator_bn.randn(hidden_dim, len(vocab)) * np.float32(0.01),
    "b2": generator_bn.randn(len(vocab)) * 0,
}
start_bn = jax.tree.map(jnp.array, start_bn)
rows_bn = jnp.array(generator_bn.randint(len(X), 200_000, batch_size), jnp.int32)
num_parameters_bn = sum(leaf.size for leaf in jax.tree.leaves(start_bn))
num_parameters_bn

# %% [markdown]
# ## 66. The statistics are a second pytree
#
# Later we shall want one name at a time, without a batch. So keep a running mean and deviation of what the batches
# showed: 0.999 of the old and 0.001 of the new. They belong to the model, but no gradient step trains them. In JAX this
# is visible in the signature: `loss(params, stats, X, Y)` returns the loss and the next statistics.


# %%
def normalised(params, mean, std, X):
    pre = params["C"][X].reshape(len(X), -1) @ params["W1"]
    return params["gain"] * (pre - mean) / std + params["bias"]


# %%
def batch_statistics(params, X):
    pre = params["C"][X].reshape(len(X), -1) @ params["W1"]
    return {"mean": pre.mean(0, keepdims=True), "std": pre.std(0, keepdims=True, ddof=1)}


# %%
def logits_bn(params, stats, X):
    h = jnp.tanh(normalised(params, stats["mean"], stats["std"], X))
    return h @ params["W2"] + params["b2"]


# %% [markdown]
# `logits_bn` takes statistics, whoever made them. Training gives it those of the batch; evaluation the running ones.


# %%
def loss_bn(params, stats, X, Y, momentum=0.001):
    batch = batch_statistics(params, X)
    stats = jax.tree.map(lambda old, new: (1 - momentum) * old + momentum * new, stats, batch)
    return cross_entropy(logits_bn(params, batch, X), Y), stats


# %%
stats_start = {"mean": jnp.zeros((1, hidden_dim)), "std": jnp.ones((1, hidden_dim))}
first_loss_bn, _ = loss_bn(start_bn, stats_start, X[rows_bn[0]], Y[rows_bn[0]])
print(f"{first_loss_bn:.4f}")

# %% [markdown]
# `has_aux=True` tells `value_and_grad` that a second result comes along, which is not differentiated. The scan carries
# parameters and statistics.


# %%
@jax.jit
def train_bn(params, stats, rows, rates):
    def step(carry, at):
        (params, stats), (batch, rate) = carry, at
        (value, stats), gradients = jax.value_and_grad(loss_bn, has_aux=True)(params, stats, X[batch], Y[batch])
        return (jax.tree.map(lambda p, g: p - rate * g, params, gradients), stats), value

    return jax.lax.scan(step, (params, stats), (rows, rates))


# %%
(params_bn, stats_bn), losses_bn = train_bn(start_bn, stats_start, rows_bn[early], rates[early])
for step in (0, 10_000, 20_000):
    print(f"{step:7,}/200,000: {losses_bn[step]:.4f}")

# %% [markdown]
# 3.3239, 2.0322, 2.5675: the three losses that the lecture prints, to the last digit.
#
# > **In torch** the running statistics are *buffers* inside the layer, changed as a side effect of the forward pass,
# > and `model.train()` / `model.eval()` set the flag that says whether to use them. A forgotten flag is a classic bug.
# > Here there is no flag and no side effect: statistics are an argument.
#
# ## 67. The price
#
# An example's logits now depend on the other 31 examples of its batch. Take one context, put it into 200 different
# batches, and look at its probabilities:


# %%
@jax.jit
@jax.vmap
def in_company(batch):
    contexts = X[batch].at[0].set(X[4])
    return jax.nn.softmax(logits_bn(params_bn, batch_statistics(params_bn, contexts), contexts))[0]


# %%
strip = in_company(rows_bn[:200])  # (200, 27)
figure, ax = plt.subplots(figsize=(10, 4))
image = ax.imshow(jnp.sqrt(strip.T), cmap="Blues", aspect="auto", interpolation="nearest")
ax.set_yticks(range(len(vocab)), list(vocab.chars), fontsize=7)
_ = ax.set(xlabel="batch", title=f"after '{vocab.decode(X[4])}', in 200 batches (shade: square root of p)")

# %%
likeliest = int(strip.mean(0).argmax())
alone = jax.nn.softmax(logits_bn(params_bn, stats_bn, X[4:5]))[0, likeliest]
print(f"'{vocab.chars[likeliest]}': from {strip[:, likeliest].min():.2f} to {strip[:, likeliest].max():.2f}", end="")
print(f" in company, {alone:.2f} with the running statistics")

# %% [markdown]
# The jitter acts as a regulariser, a bit like more data. Still nobody likes it: examples that should have nothing to do
# with each other are coupled, and many bugs come of it. Layer, group and instance normalization do not couple examples;
# batch normalization came first, and works well enough to stay in use.
#
# ## 68. How to ask for one name
#
# Either measure mean and deviation over all of train once, after training; or use the running ones. (The lecture does
# both; they nearly agree.)

# %%
measured = batch_statistics(params_bn, X)
for name, each in {"running": stats_bn, "measured": measured}.items():
    print(f"{name:8} dev {cross_entropy(logits_bn(params_bn, each, X_dev), Y_dev):.5f}")
statistics_apart = [float(jnp.abs(stats_bn[name] - measured[name]).max()) for name in ("mean", "std")]
print("apart at most: mean {:.3f}, std {:.3f}".format(*statistics_apart))


# %% [markdown]
# 0.001 fits a batch of 32. With 0.1 the statistics are those of about the last ten batches, and never steady. Keep the
# weights fixed, pass over 50 batches, and look at the dev loss (of 2,000 examples) after each:


# %%
def steadiness(momentum):
    def step(stats, batch):
        new = loss_bn(params_bn, stats, X[batch], Y[batch], momentum)[1]
        return new, cross_entropy(logits_bn(params_bn, new, X_dev[:2_000]), Y_dev[:2_000])

    return jax.lax.scan(step, measured, rows_bn[:500:10])[1]


# %%
steady = jax.jit(jax.vmap(steadiness))(jnp.array([0.1, 0.01, 0.001]))  # (3, 50)
for momentum, line in zip((0.1, 0.01, 0.001), steady, strict=True):
    print(f"momentum {momentum:<5}: dev between {line.min():.4f} and {line.max():.4f}")

# %% [markdown]
# ## 69. Three details
#
# **eps.** A neuron that gives the same for all 32 examples has deviation 0. So divide by sqrt(variance + 1e-5), as the
# paper does. (The lecture's first version leaves it out; its layers of section 77 have it.)
#
# **n or n - 1.** The paper uses one in training and the other in evaluation. The lecture takes n - 1 for both: training
# and evaluation should not differ without a reason.
#
# **b1 is useless.** A bias before the normalization is added to all rows alike, so it is in the mean, which is taken
# away. Its gradient is 0, up to rounding:


# %%
def with_b1(b1, params, X, Y):
    pre = params["C"][X].reshape(len(X), -1) @ params["W1"] + b1
    out = (pre - pre.mean(0)) / pre.std(0, ddof=1)
    return cross_entropy(jnp.tanh(params["gain"] * out + params["bias"]) @ params["W2"] + params["b2"], Y)


# %%
def b1_gradient(dtype):
    params = jax.tree.map(lambda leaf: np.asarray(leaf).astype(dtype), params_bn)
    return float(
        jnp.abs(jax.jit(jax.grad(with_b1))(jnp.zeros(hidden_dim, dtype), params, X[rows_bn[0]], Y[rows_bn[0]])).max()
    )


# %%
b1_float32 = b1_gradient(np.float32)
with jax.enable_x64(True):
    b1_float64 = b1_gradient(np.float64)
print(f"largest gradient of b1: {b1_float32:.0e} in float32, {b1_float64:.0e} in float64")

# %% [markdown]
# ## 70. The whole run, and the log
#
# The losses of single batches, all of them. Nothing can be read off but a band from about 0.2 to 0.5. (Part 5 mends
# it, by means over 1,000 steps.)

# %%
long_bn = train_bn(start_bn, stats_start, rows_bn, rates) if figures.LONG else None
all_losses = long_bn[1] if long_bn else losses_bn
figure, ax = plt.subplots(figsize=(9, 3))
ax.plot(np.log10(all_losses), linewidth=0.5)
_ = ax.set(xlabel="step", ylabel="log10 of the loss", title=f"{len(all_losses):,} batches of 32")

# %%
figure, ax = plt.subplots(figsize=(9, 3.4))
for name, values in {**four_losses, "batch norm": losses_bn}.items():
    line = smoothed(np.array(values)[:10_000], 500)
    ax.plot(np.arange(len(line)) * 500 + 250, line, label=name)
ax.set(xlabel="step", ylabel="loss, mean of 500 steps", title="five starts", ylim=(2.2, 3.2))
_ = ax.legend()

# %% [markdown]
# After 200,000 steps, in the lecture and here:
#
# | start | lecture: train | val | here: train | dev |
# |--|--|--|--|--|
# | original | 2.1245 | 2.1682 | 2.1249 | 2.1691 |
# | softmax not confidently wrong | 2.07 | 2.13 | 2.0696 | 2.1311 |
# | tanh not saturated | 2.0356 | 2.1027 | 2.0356 | 2.1027 |
# | Kaiming in place of magic numbers | 2.0377 | 2.1070 | 2.0377 | 2.1070 |
# | batch normalization | 2.0674 | 2.1057 | 2.0674 | 2.1057 |
#
# The first run is chaotic: 61% of its tanh are flat, rounding grows, and no two processors agree to four digits.
# (The lecture's log has 2.0668 / 2.1048 for batch normalization, from an earlier run.)
#
# To be honest: batch normalization gains nothing here. One hidden layer with well chosen weights is as good. What
# limits all five is the context of three characters. (Without `MM_JAX_LONG=1` the next cell prints None: the five runs
# are not made.)


# %%
def both(params):
    return float(loss(params, X, Y)), float(loss(params, X_dev, Y_dev))


# %%
final, final_bn = None, None
if figures.LONG:
    final = {name: both(train(each, rows, rates)[0]) for name, each in starts.items()}
    last_params, last_stats = long_bn[0]
    last_measured = batch_statistics(last_params, X)
    final_bn = [
        float(cross_entropy(logits_bn(last_params, stats, inputs), targets))
        for stats, inputs, targets in (
            (last_stats, X, Y),
            (last_stats, X_dev, Y_dev),
            (last_measured, X_dev, Y_dev),
        )
    ]
    final_apart = [float(jnp.abs(last_stats[name] - last_measured[name]).max()) for name in ("mean", "std")]
print(final, final_bn)

# %% [markdown]
# ## 71. One example, and a named axis
#
# Everything in this package is written for one example; `vmap` makes the batch. Batch normalization seems to be the one
# layer that cannot be written so. It can: give the batch axis a name, and ask for a mean over it.


# %%
def one_hidden(params, context):
    pre = params["C"][context].reshape(-1) @ params["W1"]  # (200,), of one context
    mean = jax.lax.pmean(pre, "batch")
    var = jax.lax.pmean((pre - mean) ** 2, "batch") * batch_size / (batch_size - 1)
    return jnp.tanh(params["gain"][0] * (pre - mean) / jnp.sqrt(var) + params["bias"][0])


# %%
hidden_named = jax.vmap(one_hidden, (None, 0), axis_name="batch")(params_bn, X[rows_bn[0]])
batch = batch_statistics(params_bn, X[rows_bn[0]])
hidden_batch = jnp.tanh(normalised(params_bn, batch["mean"], batch["std"], X[rows_bn[0]]))
named_apart = jnp.abs(hidden_named - hidden_batch).max()
print(hidden_named.shape, f"{named_apart:.0e} apart")

# %% [markdown]
# The name *is* the explanation: what an example shares with its batch is exactly what goes through a `pmean`. The same
# line works when the batch lies on several devices; their means are joined too.
#
# ## 72. Folded away
#
# After training, mean and deviation are constants. Then the normalization is a product and a sum, which W1 can absorb:
#
#     gain * (x @ W1 - mean) / std + bias  =  x @ (W1 * gain / std)  +  (bias - gain * mean / std)

# %%
scale = params_bn["gain"] / stats_bn["std"]  # (1, 200)
W1_folded = params_bn["W1"] * scale
b1_folded = (params_bn["bias"] - stats_bn["mean"] * scale)[0]
folded = mm_jax.MLP(C=params_bn["C"], W1=W1_folded, b1=b1_folded, W2=params_bn["W2"], b2=params_bn["b2"], vocab=vocab)
print(f"{num_parameters_bn:,} - 400 + 200 = {mm_jax.num_params(folded):,} numbers")


# %%
def boxes(ax, height, names, color):
    for place, name in names.items():
        frame = {"boxstyle": "round,pad=0.5", "facecolor": color, "edgecolor": "0.4"}
        ax.text(place, height, name, ha="center", va="center", bbox=frame, fontsize=10)
    for left, right in itertools.pairwise(names):
        arrow = {"arrowstyle": "->", "color": "0.4", "shrinkA": 38, "shrinkB": 38}
        ax.annotate("", (right, height), (left, height), arrowprops=arrow)


# %%
figure, ax = plt.subplots(figsize=(10, 2.4))
boxes(ax, 1, {0: "C\n27 x 10", 1: "W1\n30 x 200", 2: "mean, std,\ngain, bias", 3: "tanh", 4: "W2, b2"}, "#d6e6f4")
boxes(ax, 0, {0: "C\n27 x 10", 1.5: "W1', b1'\n30 x 200, 200", 3: "tanh", 4: "W2, b2"}, "#fde3c8")
ax.set(xlim=(-0.5, 4.5), ylim=(-0.5, 1.5))
ax.axis("off")
for place in (1, 2):
    ax.annotate("", (1.5, 0.3), (place, 0.7), arrowprops={"arrowstyle": "->", "color": "tab:orange"})

# %% [markdown]
# The result is **the network of part 2**, 11,897 numbers. After training, the network is what it was before batch
# normalization existed; only the way there was another. And so every verb of the package takes it:

# %%
folded_logits = jax.jit(jax.vmap(mm_jax.logits, (None, 0)))(folded, X_dev)
fold_apart = jnp.abs(folded_logits - logits_bn(params_bn, stats_bn, X_dev)).max()
print(f"logits {fold_apart:.0e} apart; dev {mm_jax.evaluate(folded, split.dev).nll:.5f}")

# %%
print(*mm_jax.sample(folded, jax.random.key(65), 8), sep="  ")
print(mm_jax.score(folded, "emma"))

# %%
with tempfile.TemporaryDirectory() as folder:
    mm_jax.save(folded, f"{folder}/folded.safetensors")
    same = mm_jax.sample(mm_jax.load(f"{folder}/folded.safetensors"), jax.random.key(65), 8)
    mm_jax.page.write(folded, f"{folder}/folded.html")
    print(*same[:3], f"... the page has {os.path.getsize(f'{folder}/folded.html'):,} bytes")

# %% [markdown]
# ## 73. The same block elsewhere
#
# A ResNet-50 is dozens of times this: *convolution without bias, batch normalization, ReLU*. The convolution is a
# product at each place of a picture; the order linear layer, normalization, nonlinearity is ours. The statistics are
# one a channel, over batch *and* places:


# %%
def block(pictures, filters):  # (8, 3, 64, 64): batch, channels, height, width; (16, 3, 3, 3)
    maps = jax.lax.conv(pictures, filters, (1, 1), "SAME")
    mean, std = maps.mean((0, 2, 3), keepdims=True), maps.std((0, 2, 3), keepdims=True)
    return jax.nn.relu((maps - mean) / std), mean


# %%
shapes = jax.ShapeDtypeStruct((8, 3, 64, 64), jnp.float32), jax.ShapeDtypeStruct((16, 3, 3, 3), jnp.float32)
[each.shape for each in jax.eval_shape(block, *shapes)]  # the output, and its means

# %% [markdown]
# > **In torch** `Linear(fan_in, fan_out, bias=True)` draws weights and bias uniformly in ± 1 / sqrt(fan_in); put
# > `bias=False` before a normalization. `BatchNorm1d(features, eps=1e-5, momentum=0.1, affine=True,
# > track_running_stats=True)`: eps as above; momentum is the weight of the *new* statistics, too large for small
# > batches; affine is whether there are gain and bias; track_running_stats whether running statistics are kept.
#
# ## 74. Six layers, and a tap at each
#
# Now deeper: six linear layers, five of them followed by tanh, 100 neurons each. In torch they are classes collected in
# a list; in JAX a list of dictionaries, and a loop over it. The last layer is times 0.1, so that no logit is confident.

# %%
generator_deep = TorchGenerator(2147483647)
widths = [block_size * embedding_dim, *[100] * 5, len(vocab)]
C_deep = generator_deep.randn(len(vocab), embedding_dim)
drawn_deep = [generator_deep.randn(*shape) for shape in itertools.pairwise(widths)]
rows_deep = jnp.array(generator_deep.randint(len(X), 1_001, batch_size), jnp.int32)
[W.shape for W in drawn_deep]


# %%
def plain_start(gain):
    """Weights divided by the root of the fan-in, times the gain; the last times 0.1."""
    scales = [gain] * 5 + [0.1]
    layers = [
        {"W": jnp.array(W) / len(W) ** 0.5 * scale, "b": jnp.zeros(W.shape[1])}
        for W, scale in zip(drawn_deep, scales, strict=True)
    ]
    return {"C": jnp.array(C_deep), "layers": layers}


# %%
num_plain = sum(leaf.size for leaf in jax.tree.leaves(plain_start(1)))
num_plain

# %% [markdown]
# We want to see the gradient *at the activations*. `jax.grad` differentiates with respect to arguments, so make each
# activation depend on one: add a zero, the **tap**. The gradient of the tap is the gradient of the activation.


# %%
def plain(params, taps, X, activation=jnp.tanh):
    x = params["C"][X].reshape(len(X), -1)
    outputs = []
    for layer, tap in zip(params["layers"][:-1], taps, strict=True):
        x = activation(x @ layer["W"] + layer["b"]) + tap
        outputs.append(x)
    last = params["layers"][-1]
    return x @ last["W"] + last["b"], outputs


# %%
def plain_loss(params, taps, X, Y):
    values, outputs = plain(params, taps, X)
    return cross_entropy(values, Y), jnp.stack(outputs)  # (5, 32, 100)


# %%
taps = [jnp.zeros((batch_size, 100))] * 5

# %% [markdown]
# > **In torch** only parameters keep their gradient; an activation does after `h.retain_grad()`, one flag a tensor.
#
# ## 75. Activations and gradients, for four gains
#
# The first step, at gain g: the activations, and the gradients at them.


# %%
@jax.jit
@jax.vmap
def first_step(gain):
    gradient = jax.value_and_grad(plain_loss, argnums=(0, 1), has_aux=True)
    (_, outputs), (_, tap_gradients) = gradient(plain_start(gain), taps, X[rows_deep[0]], Y[rows_deep[0]])
    return outputs, jnp.stack(tap_gradients)


# %%
outputs_by_gain, taps_by_gain = first_step(gains)  # (4, 5, 32, 100) each: gain, layer, example, neuron
std_by_gain = outputs_by_gain.std((2, 3), ddof=1)  # (4, 5)
flat_by_gain = 100 * (jnp.abs(outputs_by_gain) > 0.97).mean((2, 3))
grad_by_gain = taps_by_gain.std((2, 3), ddof=1)

# %%
for gain, std, share, grad in zip(gains, std_by_gain, flat_by_gain, grad_by_gain, strict=True):
    shown = "  ".join(f"{a:.2f} {b:5.2f}%" for a, b in zip(std, share, strict=True))
    print(f"gain {gain:<4.3g}  {shown}  grad {grad[0]:.0e} {grad[-1]:.0e}")

# %% [markdown]
# Deviation and saturation (beyond 0.97) of the five layers, and the gradient's deviation at the first and the last. The
# lecture changes the gain and runs again; `vmap` gives all four at once:


# %%
def lines(values, ax, edges, title):
    for number, layer in enumerate(np.array(values)):
        density, _ = np.histogram(layer, edges, density=True)
        ax.plot((edges[1:] + edges[:-1]) / 2, density, label=f"layer {number + 1}")
    ax.set_title(title, fontsize=10)
    ax.set_yticks([])


# %%
figure, axes = plt.subplots(2, 4, figsize=(13, 4.6))
for column, gain in enumerate(gains):
    lines(outputs_by_gain[column], axes[0, column], np.linspace(-1, 1, 41), f"activations, gain {gain:.3g}")
    lines(taps_by_gain[column], axes[1, column], np.linspace(-1.5e-3, 1.5e-3, 41), f"gradients, gain {gain:.3g}")
_ = axes[0, 0].legend(fontsize=7)

# %% [markdown]
# Gain 0.5: activations die out from layer to layer, gradients on their way back. 1: slower, the same. 5/3: all layers
# alike. 3: saturated, and gradients grow on the way back. The gain has to be right, and more so the deeper the network
# is.
#
# ## 76. Fifty layers
#
# How much more? Make the *depth* a number as well: stack the weights, scan over the layers, and let those beyond the
# depth pass their input on. First the deviation in each of the 49 layers after the first, and the gradient at it:

# %%
depth, width = 50, 30
keys = jax.random.split(jax.random.key(69), 4)


# %%
def stack_start(gain):
    return {
        "C": jax.random.normal(keys[0], (len(vocab), embedding_dim)),
        "first": gain * jax.random.normal(keys[1], (30, width)) / 30**0.5,
        "W": gain * jax.random.normal(keys[2], (depth - 1, width, width)) / width**0.5,
        "last": 0.1 * jax.random.normal(keys[3], (width, len(vocab))) / width**0.5,
    }


# %%
def stack_logits(params, taps, layers, X):
    def layer(x, at):
        W, tap, number = at
        x = jnp.where(number < layers, jnp.tanh(x @ W), x) + tap
        return x, x

    x = jnp.tanh(params["C"][X].reshape(len(X), -1) @ params["first"])
    x, outputs = jax.lax.scan(layer, x, (params["W"], taps, jnp.arange(1, depth)))
    return x @ params["last"], outputs


# %%
def stack_loss(params, taps, layers, X, Y):
    values, outputs = stack_logits(params, taps, layers, X)
    return cross_entropy(values, Y), outputs


# %%
deep_taps = jnp.zeros((depth - 1, batch_size, width))


# %%
@jax.jit
@jax.vmap
def through_depth(gain):
    gradient = jax.grad(stack_loss, argnums=1, has_aux=True)
    tap_gradients, outputs = gradient(stack_start(gain), deep_taps, depth, X[rows_deep[0]], Y[rows_deep[0]])
    return outputs.std((1, 2)), tap_gradients.std((1, 2))


# %%
forward_std, backward_std = through_depth(gains)  # (4, 49) each
figure, axes = plt.subplots(1, 2, figsize=(10, 3))
for gain, there, back in zip(gains, forward_std, backward_std, strict=True):
    axes[0].semilogy(there, label=f"gain {gain:.3g}")
    axes[1].semilogy(back)
axes[0].legend()
for ax, name in zip(axes, ("deviation of the activations", "deviation of the gradient at them"), strict=True):
    ax.set(xlabel="layer", title=name)

# %% [markdown]
# With 5/3 the activations are the same in all 50 layers; the gradients still change, by a factor for each layer. Now
# *train* networks of 1 to 50 layers, all at once: `vmap` over the depth.


# %%
@jax.jit
def train_stack(layers):
    def step(params, batch):
        gradient = jax.value_and_grad(stack_loss, has_aux=True)
        (value, _), gradients = gradient(params, deep_taps, layers, X[batch], Y[batch])
        return jax.tree.map(lambda p, g: p - 0.1 * g, params, gradients), value

    return jax.lax.scan(step, stack_start(5 / 3), rows_deep[:120])[1]


# %%
depths = jnp.array([1, 10, 50])
by_depth = jax.vmap(train_stack)(depths)[:, -40:].mean(1)
for layers, value in zip(depths, by_depth, strict=True):
    print(f"{layers:2} layers: {value:.3f}")

# %% [markdown]
# Mean loss of the last 40 of 120 steps. Ten layers learn as one does; fifty have learned almost nothing, in spite
# of the right gain.
#
# ## 77. Batch normalization in all layers, and instruments
#
# Back to six layers, with a normalization after each linear layer, the last included; there the gain starts at 0.1.
# Momentum 0.1 and eps 1e-5, as in torch's layer; running *variances* this time.


# %%
def deep_start(scale=lambda W: len(W) ** -0.5):
    layers = [
        {"W": jnp.array(W) * scale(W), "gain": jnp.ones(W.shape[1]), "bias": jnp.zeros(W.shape[1])} for W in drawn_deep
    ]
    layers[-1]["gain"] = 0.1 * layers[-1]["gain"]
    return {"C": jnp.array(C_deep), "layers": layers}


# %%
start_deep = deep_start()
stats_deep = [{"mean": jnp.zeros(width), "var": jnp.ones(width)} for width in widths[1:]]
num_deep = sum(leaf.size for leaf in jax.tree.leaves(start_deep))
num_deep


# %%
def norm_layer(layer, stats, x):
    return layer["gain"] * (x - stats["mean"]) / jnp.sqrt(stats["var"] + 1e-5) + layer["bias"]


# %%
def deep_loss(params, taps, stats, X, Y):
    x = params["C"][X].reshape(len(X), -1)
    outputs, running = [], []
    for layer, old, tap in zip(params["layers"], stats, [*taps, 0], strict=True):
        x = x @ layer["W"]
        batch = {"mean": x.mean(0), "var": x.var(0, ddof=1)}
        running.append(jax.tree.map(lambda a, b: 0.9 * a + 0.1 * b, old, batch))
        x = norm_layer(layer, batch, x)
        if len(outputs) < 5:
            x = jnp.tanh(x) + tap
            outputs.append(x)
    return cross_entropy(x, Y), (jnp.stack(outputs), running)


# %% [markdown]
# **The instruments** are a function of what a step has at hand anyway, so the step returns them beside the loss.
# Nothing is printed inside, nothing stored: the scan stacks them, and we have them *at every step*, compiled.


# %%
def matrices(params):
    return [params["C"], *(layer["W"] for layer in params["layers"])]


# %%
def instruments(outputs, tap_gradients, params, gradients, rate):
    pairs = list(zip(matrices(params), matrices(gradients), strict=True))
    return {
        "mean": outputs.mean((1, 2)),
        "std": outputs.std((1, 2), ddof=1),
        "flat": 100 * (jnp.abs(outputs) > 0.97).mean((1, 2)),
        "histogram": jnp.stack([jnp.histogram(layer, 60, (-1, 1))[0] for layer in outputs]),
        "at activations": jnp.stack([tap.std(ddof=1) for tap in tap_gradients]),
        "gradient": jnp.stack([g.std(ddof=1) for _, g in pairs]),
        "gradient to data": jnp.stack([g.std(ddof=1) / p.std(ddof=1) for p, g in pairs]),
        "update to data": jnp.stack([jnp.log10(rate * g.std(ddof=1) / p.std(ddof=1)) for p, g in pairs]),
    }


# %%
@jax.jit
def train_deep(params, rate):
    def step(carry, batch):
        (params, stats), (inputs, targets) = carry, (X[batch], Y[batch])
        gradient = jax.value_and_grad(deep_loss, argnums=(0, 1), has_aux=True)
        (value, (outputs, stats)), (gradients, at) = gradient(params, taps, stats, inputs, targets)
        params = jax.tree.map(lambda p, g: p - rate * g, params, gradients)
        read = instruments(outputs, at, params, gradients, rate)
        return (params, stats), {"loss": value, **read}

    (params, stats), read = jax.lax.scan(step, (params, stats_deep), rows_deep)
    return params, stats, read


# %%
params_deep, running_deep, read = train_deep(start_deep, 0.1)
print(f"first loss {read['loss'][0]:.4f}")
{name: array.shape for name, array in read.items()}

# %% [markdown]
# The last step, as the lecture prints it. At the five tanh layers:

# %%
last = {name: np.array(array[-1]) for name, array in read.items()}
for i in range(5):
    print(f"layer {i + 1}: mean {last['mean'][i]:+.2f}, std {last['std'][i]:.2f},", end=" ")
    print(f"saturated {last['flat'][i]:.2f}%, gradient std {last['at activations'][i]:.6e}")

# %% [markdown]
# And at the weights. Gains and biases could be read in the same way; like the lecture we look at matrices alone.

# %%
names_deep = ["C", *(f"W{number}" for number in range(1, 7))]
for i, W in enumerate(matrices(params_deep)):
    print(f"{names_deep[i]:2} {W.shape!s:10} gradient std {last['gradient'][i]:.4e}", end="")
    print(f"   gradient to data {last['gradient to data'][i]:.4e}   update {last['update to data'][i]:.2f}")

# %% [markdown]
# **Update to data** is the one to keep: log10 of how far a step moves the weights, over how large they are, in standard
# deviations. About -3 is a good value. Well above, weights change too fast; well below, too
# slowly. Ours stand at -2.3 to -1.9, C at -3.1: the rate 0.1 is rather high for these first steps.

# %%
edges = np.linspace(-1, 1, 61)
figure, axes = plt.subplots(1, 4, figsize=(13, 3))
for i in range(5):
    axes[0].plot((edges[1:] + edges[:-1]) / 2, last["histogram"][i], label=f"layer {i + 1}")
    axes[1].plot(read["at activations"][:, i], linewidth=0.7)
for i, name in enumerate(names_deep):
    axes[2].plot(np.log10(read["gradient to data"][:, i]), linewidth=0.7, label=name)
    axes[3].plot(read["update to data"][:, i], linewidth=0.7)
axes[3].axhline(-3, color="black")
axes[0].legend(fontsize=7)
axes[2].legend(fontsize=7)
for ax, name in zip(
    axes, ("activations", "gradients at them", "log10 gradient / data", "log10 update / data"), strict=True
):
    ax.set(title=name, xlabel="value" if name == "activations" else "step")

# %% [markdown]
# Since every step was read, time can be an axis. The activations of the third layer, step by step:

# %%
figure, ax = plt.subplots(figsize=(10, 2.8))
ax.imshow(read["histogram"][:, 2].T, aspect="auto", origin="lower", extent=(0, 1001, -1, 1), cmap="Blues")
_ = ax.set(xlabel="step", ylabel="activation", title="layer 3: darker where more values are")

# %% [markdown]
# ## 78. Something is wrong
#
# Which instrument shows it? Four runs at once: the right one, one whose rate is too low, one without the division by
# the fan-in, and one whose weights are times 0.2.

# %%
faulty = {
    "right": (start_deep, 0.1),
    "rate 0.001": (start_deep, 0.001),
    "no fan-in": (deep_start(lambda W: 1.0), 0.1),
    "gain 0.2": (deep_start(lambda W: len(W) ** -0.5 * (0.2 if W.shape[1] == 100 else 1)), 0.1),
}
population = jax.tree.map(lambda *leaves: jnp.stack(leaves), *(each for each, _ in faulty.values()))
faulty_params, faulty_stats, faulty_read = jax.vmap(train_deep)(population, jnp.array([r for _, r in faulty.values()]))


# %%
@jax.jit
def deep_logits(params, stats, X):
    x = params["C"][X].reshape(len(X), -1)
    for number, (layer, each) in enumerate(zip(params["layers"], stats, strict=True)):
        x = norm_layer(layer, each, x @ layer["W"])
        x = jnp.tanh(x) if number < 5 else x
    return x


# %%
faulty_logits = jax.vmap(deep_logits, (0, 0, None))(faulty_params, faulty_stats, X_dev)  # (4, 22655, 27)
faulty_dev = [float(cross_entropy(each, Y_dev)) for each in faulty_logits]
for i, name in enumerate(faulty):
    print(f"{name:10}  dev {faulty_dev[i]:.3f}   std", np.array(faulty_read["std"])[i, -1].round(2), end="")
    print("  updates", np.array(faulty_read["update to data"])[i, -1].round(1))

# %%
figure, axes = plt.subplots(2, 4, figsize=(12, 4.4), sharex="row", sharey="row")
for i, name in enumerate(faulty):
    for number in range(5):
        axes[0, i].plot((edges[1:] + edges[:-1]) / 2, faulty_read["histogram"][i, -1, number], linewidth=1)
    for number, matrix in enumerate(names_deep):
        axes[1, i].plot(faulty_read["update to data"][i, :, number], linewidth=0.7, label=matrix)
    axes[1, i].axhline(-3, color="black")
    axes[0, i].set_title(f"{name}: activations", fontsize=10)
    axes[1, i].set_title("update / data", fontsize=10)
_ = axes[1, 0].legend(fontsize=6, ncol=2)

# %% [markdown]
# The activations look alike in all four, for the normalization makes them so. The updates tell: too low at rate 0.001;
# too low without the fan-in, because the weights are large and the steps are not; too high at gain 0.2. **Batch
# normalization hides the scale of the weights from the activations, not from the updates.**
#
# **Try** the rate 1 with the weights that are not divided by the fan-in. What do the updates say, and the dev loss?
#
# <details><summary>Answer</summary>
#
# Large weights under a normalization ask for a larger rate: the updates come up by about one, to -2.6 ... -2.9, and the
# dev loss falls from 2.695 to 2.412, nearly that of the right run.
#
# ```python
# params, stats, mended = train_deep(faulty["no fan-in"][0], 1.0)
# print(mended["update to data"][-1], cross_entropy(deep_logits(params, stats, X_dev), Y_dev))
# ```
#
# </details>
#
# ## 79. Without tanh
#
# A stack of linear layers is one linear layer: multiply the matrices. Nothing is squeezed, so gain 1 keeps the
# deviation, and 5/3 lets it grow:


# %%
def identity(x):
    return x


# %%
for gain in (1, 5 / 3):
    _, linear_outputs = plain(plain_start(gain), taps, X[rows_deep[0]], identity)
    print(f"gain {gain:.3g}:", *(f"{each.std():.2f}" for each in linear_outputs))

# %%
linear_six = plain_start(1)
product = functools.reduce(jnp.matmul, (layer["W"] for layer in linear_six["layers"]))  # (30, 27)
linear_one = {"C": linear_six["C"], "layers": [{"W": product, "b": jnp.zeros(len(vocab))}]}
six_logits = plain(linear_six, [0] * 5, X[:100], identity)
one_logits = plain(linear_one, [], X[:100], identity)
linear_apart = jnp.abs(six_logits[0] - one_logits[0]).max()
print(f"six layers, and their product: logits {linear_apart:.0e} apart")

# %% [markdown]
# The same function, and yet not the same *training*: a step on six factors moves their product differently from a step
# on the product.


# %%
@jax.jit
def train_linear(params):
    def step(params, batch):
        def linear_loss(params):
            return cross_entropy(plain(params, [0] * (len(params["layers"]) - 1), X[batch], identity)[0], Y[batch])

        value, gradients = jax.value_and_grad(linear_loss)(params)
        return jax.tree.map(lambda p, g: p - 0.1 * g, params, gradients), value

    return jax.lax.scan(step, params, rows_deep)[1]


# %%
for name, each in {"six layers": linear_six, "their product": linear_one}.items():
    print(f"{name:14}", smoothed(np.array(train_linear(each)), 200))

# %% [markdown]
# ## 80. Losses and names of the six layers
#
# Evaluation with the running statistics, after 1,001 steps:

# %%
deep_train = float(cross_entropy(deep_logits(params_deep, running_deep, X), Y))
deep_dev = float(cross_entropy(deep_logits(params_deep, running_deep, X_dev), Y_dev))
print(f"train {deep_train:.4f}, dev {deep_dev:.4f}")


# %% [markdown]
# Names, with a generator of their own. `categorical` draws as torch's `multinomial` does: it divides the probabilities
# by exponential numbers and takes the largest.


# %%
@jax.jit
def next_probs(context):
    return jax.nn.softmax(deep_logits(params_deep, running_deep, context[None])[0])


# %%
def make_name(letters):
    name, context = "", [0] * block_size
    while not name.endswith(vocab.chars[0]) and len(name) < 40:
        token = letters.categorical(np.array(next_probs(jnp.array(context))))
        name, context = name + vocab.chars[token], [*context[1:], token]
    return name


# %%
letters = TorchGenerator(2147483657)
names = [make_name(letters) for _ in range(20)]
for ten in (names[:10], names[10:]):
    print(*ten)

# %% [markdown]
# The twenty names of the lecture, letter for letter.
#
# ## 81. The health of any model
#
# The instruments of the weights need no knowledge of the network: parameters, gradients and a rate are enough.
# `plotting.health` draws them for any pytree. The first 32 training names of six letters, and three models: the
# MLP that we trained and folded in section 72, and a GRU and a transformer (part 6) at their start:

# %%
six = [word for word in split.train if len(word) == 6][:32]
tokens = jnp.array([vocab.encode(word) for word in six])  # (32, 6)
targets = jnp.pad(tokens, ((0, 0), (0, 1)))  # (32, 7): the end follows


# %%
def words_loss(params):
    rows = jax.vmap(mm_jax.unroll, (None, 0))(params, tokens)  # (32, 7, 27)
    return optax.softmax_cross_entropy_with_integer_labels(rows, targets).mean()


# %%
models = {
    "MLP, folded": folded,
    "GRU": mm_jax.gru.init(jax.random.key(74), vocab),
    "transformer": mm_jax.transformer.init(jax.random.key(75), vocab),
}

# %%
gradients = {name: jax.jit(jax.grad(words_loss))(params) for name, params in models.items()}
for name, params in models.items():
    figure, axes = plt.subplots(1, 2, figsize=(10, 3.2))
    plotting.health(params, gradients[name], 0.1, axes)
    figure.suptitle(f"{name}, rate 0.1")

# %% [markdown]
# `plotting.instruments` returns the numbers. The matrix that learns fastest, and the one that learns slowest:

# %%
for name, params in models.items():
    readings = plotting.instruments(params, gradients[name], 0.1)
    ordered = sorted(readings, key=lambda reading: reading.update_to_data)
    print(f"{name:12}", *(f"  {each.name} {each.update_to_data:.2f}" for each in (ordered[-1], ordered[0])))

# %% [markdown]
# Different matrices of one model can need different rates. Adam divides each gradient by its own size, and so gives
# every number about the same update; that is why models like these are trained with it.
#
# ## 82. Five numbers, standardised
#
# The lecture ends with a slider: five numbers, one of which is moved; their normal curve, the five standardised, and
# the lines between. As four panels:

# %%
five = jnp.array([-6.0, -2.0, 1.0, 3.0, 4.0])
figure, axes = plt.subplots(1, 4, figsize=(13, 3), sharey=True)
for ax, moved in zip(axes, (-20, -6, 4, 20), strict=True):
    numbers = five.at[0].set(moved)
    standard = (numbers - numbers.mean()) / numbers.std()
    curve = jnp.linspace(-25, 25, 200)
    density = jnp.exp(-(((curve - numbers.mean()) / numbers.std()) ** 2) / 2)
    ax.plot(curve, 0.8 * density - 1, color="0.7")
    for before, after, color in zip(numbers, standard, ("tab:red", *["tab:blue"] * 4), strict=True):
        ax.plot([before, after], [0, 1], "o-", color=color, markersize=4, linewidth=1)
    ax.set(title=f"the red one at {moved}: std {numbers.std():.1f}", yticks=[-1, 0, 1])
_ = axes[0].set_yticklabels(["curve", "numbers", "standardised"])

# %% [markdown]
# However far the red one goes, the upper row stays within ±2 (of five numbers none can be further out). And moving
# *one* moves all five: that is the coupling of section 67.
#
# ## 83. One linear layer of 1,000 neurons
#
# A layer that is not divided by the fan-in: what happens to deviations, forward and backward? `jax.vjp` gives the
# result and the function that takes a gradient back.

# %%
generator_linear = TorchGenerator(2147483647)
a = jnp.array(generator_linear.randn(1000, 1))
b = jnp.array(generator_linear.randn(1000, 1000))
dc = jnp.array(generator_linear.randn(1000))  # loss = dc @ c, so this is the gradient at c
c, back = jax.vjp(lambda a, b: (b @ a)[:, 0], a, b)
da, db = back(dc)
linear_std = [float(each.std(ddof=1)) for each in (a, b, c, dc, da, db)]
print("a {:.4f}  b {:.4f}  c {:.4f};  gradients: c {:.4f}  a {:.4f}  b {:.4f}".format(*linear_std))

# %% [markdown]
# c is sqrt(1000) times as wide, and so is the gradient on its way back. With a normalization behind it:


# %%
def normalise(x):
    return (x - x.mean()) / jnp.sqrt(x.var(ddof=1) + 1e-5)


# %%
out, back_norm = jax.vjp(normalise, c)
(dx,) = back_norm(dc)  # the gradient at x = c
da_norm, db_norm = back(dx)
norm_std = [float(each.std(ddof=1)) for each in (c, out, dc, dx, db_norm, da_norm)]
print("x {:.4f}  out {:.4f};  gradients: out {:.4f}  x {:.4f}  w {:.4f}  input {:.4f}".format(*norm_std))

# %% [markdown]
# The normalization divides by 31 forward, and backward too: what comes out at the input is near 1 again, whatever the
# scale of the weights.
#
# ## 84. Exercises
#
# **1. All weights and biases 0: does it train?** Say what you expect, then run it.

# %%
zeros = jax.tree.map(jnp.zeros_like, original)
trained_zeros, losses_zeros = train(zeros, rows[early], rates[early])
dev_zeros = float(loss(trained_zeros, X_dev, Y_dev))
print(f"loss {losses_zeros[0]:.4f} at first; dev {dev_zeros:.4f} after 20,001 steps")

# %% tags=["solution"]
moved = {name: float(jnp.abs(leaf).max()) for name, leaf in trained_zeros.items()}
print(moved)
frequency = jnp.bincount(Y, length=len(vocab)) / len(Y)
closed_form = float(-jnp.log(frequency)[Y_dev].mean())
print(f"dev by the frequency of each character: {closed_form:.4f}")

# %% [markdown]
# <details><summary>Answer</summary>
#
# A little. h = tanh(0) = 0, so W2 gets no gradient; W2 = 0, so nothing before it gets one. Only b2 moves, every other
# number stays exactly 0. What b2 learns is how often each character occurs, and the loss goes to that of the counts.
#
# </details>
#
# **2. Fold the normalization into the layer before, and check that the output is the same.** Section 72 does it for one
# layer. Do it for all six, and evaluate with `plain`.

# %%
folded_layers = []
for layer, each in zip(params_deep["layers"], running_deep, strict=True):
    factor = layer["gain"] / jnp.sqrt(each["var"] + 1e-5)
    folded_layers.append({"W": layer["W"] * factor, "b": layer["bias"] - each["mean"] * factor})
folded_deep = {"C": params_deep["C"], "layers": folded_layers}
six_apart = float(jnp.abs(plain(folded_deep, [0] * 5, X_dev)[0] - deep_logits(params_deep, running_deep, X_dev)).max())
print(f"{sum(leaf.size for leaf in jax.tree.leaves(folded_deep)):,} numbers, logits {six_apart:.0e} apart")

# %% [markdown]
# ## What you have now
#
# A network starts well if its first loss is ln 27, if its activations are neither flat nor near 0, and if gradients
# reach every layer; update to data not far from -3 says that the rate fits. Batch normalization brings most of this
# about by itself, at the price of coupling examples, and leaves no trace in the finished network. And none of it
# lifts the limit of three characters.
#
# Three questions, each answered by changing one number:
#
# 1. `batch_size` of the strip in section 67: does the jitter shrink if only the first 8 contexts of each batch are used
#    (`X[batch[:8]]`), or grow?
# 2. `0.1` in `plain_start`: what is the first loss with 1, and with 3?
# 3. The rate of `train_deep`: at which rate does the last layer's update come down to -3 by the last step?
#
# <details><summary>Answers</summary>
#
# 1. It grows: a probability between 0.12 and 0.35 in batches of 32 lies between 0.04 and 0.58 in batches of 8, for mean
#    and deviation of 8 are noisier.
# 2. 3.48 and 4.92 (gain 5/3) in place of 3.30: the network is confident and wrong again.
# 3. A little below 0.01: -2.30 at 0.03, -2.89 at 0.01.
#
# </details>
#
# **Next:** [lecture_4_backprop](lecture_4_backprop.ipynb) takes `jax.grad` away and writes every gradient of this
# network by hand; [lecture_5_wavenet](lecture_5_wavenet.ipynb) lengthens the context.
#
# **References.** Bengio et al. 2003, [A Neural Probabilistic Language
# Model](https://www.jmlr.org/papers/volume3/bengio03a/bengio03a.pdf) · He et al. 2015, [Delving Deep into
# Rectifiers](https://arxiv.org/abs/1502.01852) · Ioffe and Szegedy 2015, [Batch
# Normalization](https://arxiv.org/abs/1502.03167) · He et al. 2015, [Deep Residual
# Learning](https://arxiv.org/abs/1512.03385) · JAX:
# [vmap](https://docs.jax.dev/en/latest/automatic-vectorization.html), [stateful
# computations](https://docs.jax.dev/en/latest/stateful-computations.html),
# [initializers](https://docs.jax.dev/en/latest/jax.nn.initializers.html)
#
# ## All figures
#
# "lecture": the lecture prints it. "ours": computed for this notebook. "long": from a run that is made with
# `MM_JAX_LONG=1`, with what it gave.

# %%
figures.show("lecture_3_activations", globals())
