# %% [markdown]
# # makemore, part 4: backpropagation by hand
#
# The fourth lecture, in JAX: every gradient of the network with batch normalization, written by hand, checked against
# `jax.vjp`, and then used to train it. After it you will be able to
#
# - write the gradient of a product, a sum, a softmax, a batch norm and an embedding without looking anything up;
# - find a wrong line where it stands, by checking each step alone;
# - tell rounding from a mistake, with float64;
# - give any function a backward pass of your own: `jax.custom_vjp`;
# - read what autodiff writes.
#
# [Video of the lecture](https://www.youtube.com/watch?v=q8SA3rM6ckI) ·
# before: [lecture_3_activations](lecture_3_activations.ipynb) · next: [lecture_5_wavenet](lecture_5_wavenet.ipynb) ·
# [open in Colab](https://colab.research.google.com/github/mm-jax/mm_jax/blob/main/examples/lecture_4_backprop.ipynb)
#
# **Contents**
# - 85 One number first
# - 86 The network and one minibatch
# - 87 The forward pass in 19 steps
# - 88 The oracle: `jax.vjp`, step by step
# - 89 A repeat becomes a sum, a sum becomes a repeat
# - 90 Exercise 1: from the loss to the logits
# - 91 The output layer
# - 92 tanh, gain and bias
# - 93 Batch normalization
# - 94 The first layer and the table
# - 95 All 26 in float32 and float64
# - 96 Exercise 2: cross entropy in one go
# - 97 Exercise 3: batch normalization in one go
# - 98 Exercise 4: train without autodiff (10 s)
# - 99 Your gradients under `value_and_grad`, optax and `mm_jax.fit`
# - 100 What autodiff writes
#
# All together less than a minute. **Run it**: `pip install -e '.[notebooks]'`, then `jupyter lab`; it is a script as
# well. **It is an exercise**: each question has a cell `answer(name=None)`; put your gradient in place of None, and it
# says whether it is exact, close or wrong, and why. The solution is folded in the cell below. **The words** are those
# of names.txt if it is found or can be downloaded, otherwise given names that come with mm_jax; the figures hold for
# names.txt.

# %%
# On Colab, or away from the project's folder: fetches it, and works in its examples.
import importlib.util
import os

if not importlib.util.find_spec("figures"):
    os.system("git clone -q --depth 1 https://github.com/mm-jax/mm_jax && pip install -q './mm_jax[notebooks]'")
    os.chdir("mm_jax/examples")

# %%
import dataclasses
import functools
import inspect
import textwrap

import backprop_pictures as pictures
import figures
import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
import optax
from backprop_check import check
from jax.extend.core import jaxpr_as_fun
from jax.test_util import check_grads
from torch_random import TorchGenerator

import mm_jax
from mm_jax.corpus import contexts

plt.rcParams.update({"figure.dpi": 90, "figure.constrained_layout.use": True})
np.set_printoptions(precision=4, suppress=True, linewidth=96)

# %% [markdown]
# ## 85. One number first
#
# Before arrays, one neuron with one input: y = tanh(w x + b). How fast does y change with w, x and b? Cut it into
# steps that everyone knows:
#
#     u = w x         du/dw = x    du/dx = w
#     z = u + b       dz/du = 1    dz/db = 1
#     y = tanh(z)     dy/dz = 1 - y^2
#
# The **chain rule** multiplies along the path: dy/dw = dy/dz dz/du du/dw = (1 - y^2) x. Walk from the end to the start
# and keep, at each step, the product so far. That walk is **backpropagation**; nothing else will happen in this
# notebook.


# %%
def neuron(w, x, b):
    return jnp.tanh(w * x + b)


w, x, b = 0.5, 2.0, -0.3
y = neuron(w, x, b)
print(f"y = {y:.4f}")

# %% [markdown]
# By hand, from the end to the start:

# %%
dz = 1 - y**2  # how fast y changes with z
by_hand_neuron = (dz * x, dz * w, dz * 1)  # w, x, b
print(*(f"{dy:.4f}" for dy in by_hand_neuron))

# %% [markdown]
# And by JAX: `jax.grad(function, (0, 1, 2))` is the *function* that returns the gradients for arguments 0, 1 and 2.

# %%
by_jax_neuron = jax.grad(neuron, (0, 1, 2))(w, x, b)
neuron_apart = max(abs(float(mine - theirs)) for mine, theirs in zip(by_hand_neuron, by_jax_neuron, strict=True))
for name, mine, theirs in zip("wxb", by_hand_neuron, by_jax_neuron, strict=True):
    print(check(name, mine, theirs))

# %% [markdown]
# > **In torch**, and in micrograd, the lecture before part 1, each value remembers what it was made of, and
# > `.backward()` walks over these memories and adds into `.grad` of each. In JAX nothing remembers. `jax.grad` calls
# > the function with tracers in place of numbers, writes down the steps, and returns the gradients as values.
#
# **Try** b = 5. What do you expect of the three gradients?
#
# <details><summary>Answer</summary>
#
# z = 6, y is 0.99999 and 1 - y^2 is 0.00002: almost nothing comes back to w, x or b. The neuron is saturated
# (`lecture_3_activations`).
# </details>
#
# ## 86. The network and one minibatch
#
# The network of part 3 with batch normalization, smaller: 10 numbers a character, 64 hidden. Words, split and contexts
# as in part 2.

# %%
words = mm_jax.load_words()
split = mm_jax.split_words(words)
vocab = mm_jax.Vocab.from_words(words)
X_train, Y_train = map(jnp.asarray, contexts(split.train, vocab, 3))
X_dev, Y_dev = map(jnp.asarray, contexts(split.dev, vocab, 3))
sizes = ", ".join(str(len(contexts(part, vocab, 3)[1])) for part in split)
print(f"examples: {sizes}; {len(vocab)} characters")

# %% [markdown]
# The weights come from torch's generator, as the lecture draws them. The biases are near 0 and the gain is near 1,
# but *not* 0 or 1: a factor that is forgotten does not show where it multiplies by 1, and a term that is forgotten
# does not show where it is 0. `b1` stands in front of the norm, which takes it away again; it is kept for practice.


# %%
def draw_params(torch, hidden, key):
    V, fan_in = len(vocab), 3 * 10
    gain_key, bias_key = jax.random.split(key)
    params = {
        "C": torch.randn(V, 10),
        "W1": torch.randn(fan_in, hidden) * (5 / 3) / fan_in**0.5,
        "b1": torch.randn(hidden) * 0.1,
        "W2": torch.randn(hidden, V) * 0.1,
        "b2": torch.randn(V) * 0.1,
        "gain": 1 + 0.1 * jax.random.normal(gain_key, (1, hidden)),
        "bias": 0.1 * jax.random.normal(bias_key, (1, hidden)),
    }
    return {name: jnp.asarray(leaf, jnp.float32) for name, leaf in params.items()}


# %% [markdown]
# The lecture draws gain and bias from torch's default generator, without a seed: these numbers are lost, and with them
# the digits of every loss of the lecture. Ours come from a JAX key. The minibatch comes from the seeded generator: it
# is the lecture's own.

# %%
torch = TorchGenerator(2147483647)
params = draw_params(torch, 64, jax.random.key(4))
rows = torch.randint(len(X_train), 32)
X, Y = X_train[rows], Y_train[rows]  # (32, 3) (32,)
num_params = sum(leaf.size for leaf in params.values())
print(*(f"{name} {leaf.shape}" for name, leaf in params.items()), sep="  ")
print(f"{num_params:,} parameters; targets of the minibatch:")
print(Y)

# %% [markdown]
# ## 87. The forward pass in 19 steps
#
# So small that each has a gradient one can write down; the loss makes it 20. Each step is a pure function whose
# arguments are named after what it reads. "bn" is batch norm: mean, difference, its square, variance, one over its
# root, and the normalised ("raw") value.

# %%
steps = {
    "emb": lambda C, X: C[X],
    "embcat": lambda emb: emb.reshape(len(emb), -1),
    "hprebn": lambda embcat, W1, b1: embcat @ W1 + b1[None],
    "bnmeani": lambda hprebn: hprebn.sum(0, keepdims=True) / len(hprebn),
    "bndiff": lambda hprebn, bnmeani: hprebn - bnmeani,
    "bndiff2": lambda bndiff: bndiff**2,
    "bnvar": lambda bndiff2: bndiff2.sum(0, keepdims=True) / (len(bndiff2) - 1),
    "bnvar_inv": lambda bnvar: (bnvar + 1e-5) ** -0.5,
    "bnraw": lambda bndiff, bnvar_inv: bndiff * bnvar_inv,
    "hpreact": lambda gain, bnraw, bias: gain * bnraw + bias,
    "h": lambda hpreact: jnp.tanh(hpreact),
    "logits": lambda h, W2, b2: h @ W2 + b2[None],
    "logit_maxes": lambda logits: logits.max(1, keepdims=True),
    "norm_logits": lambda logits, logit_maxes: logits - logit_maxes,
    "counts": lambda norm_logits: jnp.exp(norm_logits),
    "counts_sum": lambda counts: counts.sum(1, keepdims=True),
    "counts_sum_inv": lambda counts_sum: counts_sum**-1,
    "probs": lambda counts, counts_sum_inv: counts * counts_sum_inv,
    "logprobs": lambda probs: jnp.log(probs),
    "loss": lambda logprobs, Y: -logprobs[jnp.arange(len(Y)), Y].mean(),
}
reads = {name: list(inspect.signature(step).parameters) for name, step in steps.items()}
print(reads["logits"])

# %% [markdown]
# The variance divides by n - 1 (Bessel's correction), as torch's `var` does and NumPy's does not. The greatest logit is
# taken away so that exp cannot overflow; it changes no probability. The forward pass is a walk over the table:


# %%
def forward(params, X, Y):
    """Returns every value by its name."""
    at = {**params, "X": X, "Y": Y}
    for name, step in steps.items():
        at[name] = step(*(at[read] for read in reads[name]))
    return at


at = forward(params, X, Y)
print(f"loss {at['loss']:.4f}")

# %% [markdown]
# The lecture's is 3.3377, with the gain and bias that are lost. With gain 1 and bias 0 it would be

# %%
plain = forward({**params, "gain": jnp.ones((1, 64)), "bias": jnp.zeros((1, 64))}, X, Y)
print(f"loss {plain['loss']:.4f}")

# %% [markdown]
# The 19 steps and the loss. Above each box the shape of its value, below it the shape of its gradient ("d"), which is
# the same. In italics the arrays that come from outside. Four values are read by two steps, each in a colour: there the
# path **forks**.

# %%
figure, ax = plt.subplots(figsize=(11, 6))
_ = pictures.chain(reads, at, ax, rows=(9, 5, 6))

# %% [markdown]
# From here on every value has a name of its own, as in the lecture.

# %%
C, W1, b1, W2, b2, gain, bias = (params[name] for name in ("C", "W1", "b1", "W2", "b2", "gain", "bias"))
emb, embcat, hprebn, bnmeani, bndiff, bndiff2, bnvar = (at[name] for name in list(steps)[:7])
bnvar_inv, bnraw, hpreact, h, logits, logit_maxes, norm_logits = (at[name] for name in list(steps)[7:14])
counts, counts_sum, counts_sum_inv, probs, logprobs, loss = (at[name] for name in list(steps)[14:])
n = len(Y)
print(emb.shape, hprebn.shape, bnmeani.shape, logits.shape, counts_sum.shape, loss.shape)

# %% [markdown]
# ## 88. The oracle: `jax.vjp`, step by step
#
# For one step y = f(x), `jax.vjp` returns the value, and a function from dy to dx: the **pull-back**. ("dy" is short
# for d loss / d y throughout.) Here for one step:

# %%
value, pull = jax.vjp(steps["probs"], counts, counts_sum_inv)
dcounts_part, dinv = pull(jnp.ones_like(probs))
print(value.shape, "->", dcounts_part.shape, dinv.shape)

# %% [markdown]
# Pull back through all steps, last one first, starting with d loss / d loss = 1. Where a value was read twice, its two
# gradients are **added**. This is micrograd's whole engine, on arrays:


# %%
def pull_by_jax(name, dy, inputs):
    return jax.vjp(steps[name], *inputs)[1](dy)


def walk_back(at, pull):
    """Returns the gradient of the loss at every value of the forward pass."""
    grads = {"loss": jnp.ones_like(at["loss"])}
    for name in reversed(steps):
        inputs = [at[read] for read in reads[name]]
        for read, dx in zip(reads[name], pull(name, grads[name], inputs), strict=True):
            if jnp.issubdtype(at[read].dtype, jnp.floating):  # X and Y are whole numbers: no gradient
                grads[read] = grads[read] + dx if read in grads else dx
    return grads


wanted = walk_back(at, pull_by_jax)
forks = [name for name in steps if sum(name in inputs for inputs in reads.values()) > 1]
print(f"{len(wanted) - 1} gradients; added at the forks {forks}")

# %% [markdown]
# Is the walk what `jax.grad` does? Compare the seven gradients of the parameters:

# %%
whole = jax.grad(lambda params: forward(params, X, Y)["loss"])(params)
walk_and_grad = max(float(jnp.abs(whole[name] - wanted[name]).max()) for name in params)
print(f"largest difference {walk_and_grad:.0e}")

# %% [markdown]
# > **In torch** one calls `retain_grad()` on each intermediate value, then `loss.backward()`, then compares with its
# > `.grad`: each gradient is judged together with all steps behind it. With `jax.vjp` a step can be judged alone, with
# > any dy (section 95).
#
# The comparison says *exact*, *close* (rounding can explain it) or *wrong*, and what would explain that:


# %%
def answer(**mine):
    for name, dy in mine.items():
        print(check(name, dy, wanted[name]))


answer(W2=-wanted["W2"], b2=32 * wanted["b2"], h=wanted["h"].T, W1=None)

# %% [markdown]
# ## 89. A repeat becomes a sum, a sum becomes a repeat
#
# Two facts give the *shape* of nearly every answer below.
#
# 1. A gradient has the shape of its variable.
# 2. **What is repeated forward is summed backward; what is summed forward is repeated backward.** Broadcasting is a
#    repeat that nobody wrote.
#
# The reason: a number that is copied to 4 places acts through 4 paths, and paths add up. A sum passes each change of
# its terms on with factor 1. `jax.linear_transpose` shows it on the two functions themselves:

# %%
to_sum = jax.linear_transpose(lambda b: jnp.broadcast_to(b, (4, 3)), jnp.zeros((1, 3)))
print(*to_sum(jnp.arange(12.0).reshape(4, 3)), " = the sum over the rows of 0 ... 11")

# %%
to_repeat = jax.linear_transpose(lambda a: a.sum(0, keepdims=True), jnp.zeros((4, 3)))
print(*to_repeat(jnp.array([[1.0, 2.0, 3.0]])))

# %% [markdown]
# **Try** the same for `lambda a: a[1:]` on 4 numbers. What is the transpose of "drop the first"?
#
# <details><summary>Answer</summary>
#
# Put a 0 in front: what was dropped has no effect on the loss.
#
# ```python
# jax.linear_transpose(lambda a: a[1:], jnp.zeros(4))(jnp.array([1.0, 2.0, 3.0]))  # [0, 1, 2, 3]
# ```
# </details>
#
# ## 90. Exercise 1: from the loss to the logits
#
# Eight gradients, from the end of the chain. Work down the list; each needs the one before it.
#
# | gradient of | shape | hint |
# |--|--|--|
# | logprobs | (32, 27) | the loss reads one number a row, and divides by n; `.at[...].set(...)` |
# | probs | (32, 27) | d log(p) / dp |
# | counts_sum_inv | (32, 1) | it was repeated along the row |
# | counts_sum | (32, 1) | d x^-1 / dx |
# | counts | (32, 27) | **read twice**: by probs, and by counts_sum |
# | norm_logits | (32, 27) | exp is its own derivative, and you have its value |
# | logit_maxes | (32, 1) | repeated along the row, and subtracted |
# | logits | (32, 27) | **read twice**: by norm_logits, and by the maximum, which reads one place of each row |

# %%
answer(logprobs=None, probs=None, counts_sum_inv=None, counts_sum=None)

# %% tags=["solution"]
dlogprobs = jnp.zeros_like(logprobs).at[jnp.arange(n), Y].set(-1 / n)
dprobs = dlogprobs / probs
dcounts_sum_inv = (counts * dprobs).sum(1, keepdims=True)
dcounts_sum = -(counts_sum**-2) * dcounts_sum_inv
answer(logprobs=dlogprobs, probs=dprobs, counts_sum_inv=dcounts_sum_inv, counts_sum=dcounts_sum)

# %%
answer(counts=None, norm_logits=None)

# %% tags=["solution"]
dcounts = counts_sum_inv * dprobs + jnp.broadcast_to(dcounts_sum, counts.shape)  # two paths
dnorm_logits = counts * dcounts
answer(counts=dcounts, norm_logits=dnorm_logits)

# %% [markdown]
# What if the second path is forgotten?

# %%
answer(counts=counts_sum_inv * dprobs)

# %%
answer(logit_maxes=None, logits=None)

# %% tags=["solution"]
dlogit_maxes = -dnorm_logits.sum(1, keepdims=True)
dlogits = dnorm_logits + jax.nn.one_hot(logits.argmax(1), len(vocab)) * dlogit_maxes
answer(logit_maxes=dlogit_maxes, logits=dlogits)

# %% [markdown]
# The gradient at logit_maxes must be 0: taking the greatest away changes no probability, so it cannot change the loss.
# It is 0 but for rounding:

# %%
print(f"largest |dlogit_maxes|: {jnp.abs(dlogit_maxes).max():.0e}; largest |dlogits|: {jnp.abs(dlogits).max():.0e}")

# %% [markdown]
# So the second path to the logits could be left out. It is written down because the rule is "add all paths", and a
# path that contributes nothing then turns out to be 0. (Two equal greatest logits would share the gradient in JAX;
# `argmax` takes the first.)
#
# ## 91. The output layer
#
# logits = h @ W2 + b2, with shapes (32, 27) = (32, 64) @ (64, 27) + (27,).
#
# | gradient of | shape | hint |
# |--|--|--|
# | h | (32, 64) | which product of dlogits (32, 27) and W2 (64, 27) has this shape? |
# | W2 | (64, 27) | which product of h (32, 64) and dlogits (32, 27) has this shape? |
# | b2 | (27,) | it was repeated down the rows |

# %%
answer(h=None, W2=None, b2=None)

# %% tags=["solution"]
dh = dlogits @ W2.T  # (32, 27) (27, 64)
dW2 = h.T @ dlogits  # (64, 32) (32, 27)
db2 = dlogits.sum(0)
answer(h=dh, W2=dW2, b2=db2)

# %% [markdown]
# There is nothing to memorise: dW2 has the shape of W2, and only one product of the two arrays has it. Written out
# for one number, W2[j, k] acts on logits[i, k] with factor h[i, j], for each example i; so dW2[j, k] is the sum over
# i of h[i, j] dlogits[i, k]. The sum over the examples is the axis that disappears in the product.
#
# W2 is *close*, not exact: JAX takes dlogits.T @ h and then the transpose (section 100), so the sums round
# differently.
#
# ## 92. tanh, gain and bias
#
# | gradient of | shape | hint |
# |--|--|--|
# | hpreact | (32, 64) | the slope of tanh in terms of its value |
# | gain | (1, 64) | multiplied, and repeated down the rows |
# | bias | (1, 64) | repeated down the rows |
# | bnraw | (32, 64) | multiplied by gain |

# %%
answer(hpreact=None, gain=None, bias=None, bnraw=None)

# %% tags=["solution"]
dhpreact = (1 - h**2) * dh
dgain = (bnraw * dhpreact).sum(0, keepdims=True)
dbias = dhpreact.sum(0, keepdims=True)
dbnraw = gain * dhpreact
answer(hpreact=dhpreact, gain=dgain, bias=dbias, bnraw=dbnraw)

# %% [markdown]
# From here back to C no gradient is exact. JAX computes the slope of tanh as (1 - h) + h (1 - h), which is 1 - h^2 with
# another rounding, and every gradient computed from it inherits the difference.
#
# ## 93. Batch normalization
#
# | gradient of | shape | hint |
# |--|--|--|
# | bnvar_inv | (1, 64) | multiplied, and repeated |
# | bnvar | (1, 64) | d (v + eps)^-0.5 / dv |
# | bndiff2 | (32, 64) | summed forward, divided by n - 1 |
# | bndiff | (32, 64) | **read twice**: by bnraw, and by its square |
# | bnmeani | (1, 64) | repeated, and subtracted |
# | hprebn | (32, 64) | **read twice**: by bndiff, and by the mean |

# %%
answer(bnvar_inv=None, bnvar=None, bndiff2=None)

# %% tags=["solution"]
dbnvar_inv = (bndiff * dbnraw).sum(0, keepdims=True)
dbnvar = -0.5 * (bnvar + 1e-5) ** -1.5 * dbnvar_inv
dbndiff2 = jnp.broadcast_to(dbnvar / (n - 1), bndiff2.shape)
answer(bnvar_inv=dbnvar_inv, bnvar=dbnvar, bndiff2=dbndiff2)

# %%
answer(bndiff=None, bnmeani=None, hprebn=None)

# %% tags=["solution"]
dbndiff = bnvar_inv * dbnraw + 2 * bndiff * dbndiff2  # two paths
dbnmeani = -dbndiff.sum(0, keepdims=True)
dhprebn = dbndiff + jnp.broadcast_to(dbnmeani / n, hprebn.shape)  # two paths
answer(bndiff=dbndiff, bnmeani=dbnmeani, hprebn=dhprebn)

# %% [markdown]
# **Try** n in place of n - 1 in the line of bndiff2. Would you see it in the loss of a training run?
#
# <details><summary>Answer</summary>
#
# The check says "31/32 of the right one: n in place of n - 1, or the other way round". One path to hprebn is then 3%
# too weak; the network trains on as if nothing were wrong. This is why gradients are checked with numbers and not by
# looking at a loss.
#
# ```python
# answer(bndiff2=jnp.broadcast_to(dbnvar / n, bndiff2.shape))
# ```
# </details>
#
# ## 94. The first layer and the table
#
# | gradient of | shape | hint |
# |--|--|--|
# | embcat | (32, 30) | as h above |
# | W1 | (30, 64) | as W2 above |
# | b1 | (64,) | as b2 above; what must it be, in front of a norm? |
# | emb | (32, 3, 10) | the same numbers, laid out otherwise |
# | C | (27, 10) | a row is read wherever its character stands: what is repeated ... |

# %%
answer(embcat=None, W1=None, b1=None, emb=None, C=None)

# %% tags=["solution"]
dembcat = dhprebn @ W1.T  # (32, 64) (64, 30)
dW1 = embcat.T @ dhprebn  # (30, 32) (32, 64)
db1 = dhprebn.sum(0)
demb = dembcat.reshape(emb.shape)
dC = jnp.zeros_like(C).at[X].add(demb)
answer(embcat=dembcat, W1=dW1, b1=db1, emb=demb, C=dC)

# %% [markdown]
# > **In torch** the lecture loops over 32 x 3 places and adds each row of demb to its row of dC. `.at[X].add(demb)` is
# > that loop: rows of the same character add up, as the pairs did in part 1's table of counts.
#
# And db1 is 0 but for rounding: batch norm subtracts the mean, and a constant goes with it. The 64 numbers of b1 are
# never trained.

# %%
print(f"largest |db1|: {jnp.abs(db1).max():.0e}; largest |dW1|: {jnp.abs(dW1).max():.0e}")

# %% [markdown]
# ## 95. All 26 in float32 and float64
#
# "Close" should mean rounding, and float64 can prove it. Rounding then shrinks by a factor of 2^29, five hundred
# million; a mistake stays what it is. For that, write your lines as functions of dy and of what the step reads: one
# **rule** a step. It is the table that every autodiff library has inside.

# %% tags=["solution"]
rules = {
    "loss": lambda dy, logprobs, Y: (jnp.zeros_like(logprobs).at[jnp.arange(len(Y)), Y].set(-dy / len(Y)), None),
    "logprobs": lambda dy, probs: (dy / probs,),
    "probs": lambda dy, counts, counts_sum_inv: (counts_sum_inv * dy, (counts * dy).sum(1, keepdims=True)),
    "counts_sum_inv": lambda dy, counts_sum: (-(counts_sum**-2) * dy,),
    "counts_sum": lambda dy, counts: (jnp.broadcast_to(dy, counts.shape),),
    "counts": lambda dy, norm_logits: (jnp.exp(norm_logits) * dy,),
    "norm_logits": lambda dy, logits, logit_maxes: (dy, -dy.sum(1, keepdims=True)),
    "logit_maxes": lambda dy, logits: (jax.nn.one_hot(logits.argmax(1), logits.shape[1]) * dy,),
    "logits": lambda dy, h, W2, b2: (dy @ W2.T, h.T @ dy, dy.sum(0)),
    "h": lambda dy, hpreact: ((1 - jnp.tanh(hpreact) ** 2) * dy,),
    "hpreact": lambda dy, gain, bnraw, bias: (
        (bnraw * dy).sum(0, keepdims=True),
        gain * dy,
        dy.sum(0, keepdims=True),
    ),
    "bnraw": lambda dy, bndiff, bnvar_inv: (bnvar_inv * dy, (bndiff * dy).sum(0, keepdims=True)),
    "bnvar_inv": lambda dy, bnvar: (-0.5 * (bnvar + 1e-5) ** -1.5 * dy,),
    "bnvar": lambda dy, bndiff2: (jnp.broadcast_to(dy / (len(bndiff2) - 1), bndiff2.shape),),
    "bndiff2": lambda dy, bndiff: (2 * bndiff * dy,),
    "bndiff": lambda dy, hprebn, bnmeani: (dy, -dy.sum(0, keepdims=True)),
    "bnmeani": lambda dy, hprebn: (jnp.broadcast_to(dy / len(hprebn), hprebn.shape),),
    "hprebn": lambda dy, embcat, W1, b1: (dy @ W1.T, embcat.T @ dy, dy.sum(0)),
    "embcat": lambda dy, emb: (dy.reshape(emb.shape),),
    "emb": lambda dy, C, X: (jnp.zeros_like(C).at[X].add(dy), None),
}

# %% [markdown]
# **Each rule alone**, with a random dy that no loss has made. A wrong line is found where it stands, not nine lines
# later. It also finds a mistake that the chain hides: in the chain dlogit_maxes is 0, so a wrong mask in the rule of
# logit_maxes would multiply 0, and no comparison at the end of the chain could see it.


# %%
def pull_by_rule(name, dy, inputs):
    return rules[name](dy, *inputs)


def judge_alone(name, key):
    inputs = [at[read] for read in reads[name]]
    dy = jax.random.normal(key, at[name].shape)
    pairs = zip(reads[name], pull_by_rule(name, dy, inputs), pull_by_jax(name, dy, inputs), strict=True)
    return [check(f"{name} to {read}", mine, theirs) for read, mine, theirs in pairs if mine is not None]


said = [line for i, name in enumerate(steps) for line in judge_alone(name, jax.random.key(i))]
wrong_alone = sum("wrong" in line for line in said)
print(textwrap.fill("  ".join(said), 98))

# %% [markdown]
# **The chain**: the same walk as in section 88, now with your rules, in both dtypes. Inside `with jax.enable_x64():`
# JAX computes in float64; outside, it turns every float64 into float32.


# %%
def gradients(at, pull):
    """All 26, as NumPy arrays: they keep their float64 outside of the context."""
    return {name: np.asarray(dy) for name, dy in walk_back(at, pull).items() if name != "loss"}


by_rules, by_jax = gradients(at, pull_by_rule), gradients(at, pull_by_jax)
with jax.enable_x64():
    at64 = forward({name: jnp.asarray(leaf, jnp.float64) for name, leaf in params.items()}, X, Y)
    by_rules64, by_jax64 = gradients(at64, pull_by_rule), gradients(at64, pull_by_jax)
print(by_rules["W2"].dtype, by_rules64["W2"].dtype)


# %%
def largest_differences(mine, theirs):
    return {name: float(np.abs(mine[name] - theirs[name]).max()) for name in theirs}


apart = {"float32": largest_differences(by_rules, by_jax), "float64": largest_differences(by_rules64, by_jax64)}
print("gradient of     its largest   differs: float32  float64")
for name, largest in apart["float32"].items():
    shown = [f"{each:.0e}" if each else "exact" for each in (largest, apart["float64"][name])]
    print(f"{name:15} {np.abs(by_jax64[name]).max():11.0e}   {shown[0]:>16}  {shown[1]:>7}")

# %%
figure, ax = plt.subplots(figsize=(8.5, 6))
_ = pictures.differences(apart, {"float32": 1e-7, "float64": 1e-15}, ax)

# %% [markdown]
# Every one that was not exact has moved to the left by eight or nine orders of magnitude: it was rounding. This test is
# sharper than equality bit by bit, which another order of a sum breaks, and it needs no guess of a tolerance.
#
# The two gradients that must be 0:

# %%
zero = {"float32": np.abs(by_rules["logit_maxes"]).max(), "float64": np.abs(by_rules64["logit_maxes"]).max()}
zero_b1 = {"float32": np.abs(by_rules["b1"]).max(), "float64": np.abs(by_rules64["b1"]).max()}
for dtype in zero:
    print(f"{dtype}: largest |dlogit_maxes| {zero[dtype]:.0e}, |db1| {zero_b1[dtype]:.0e}")

# %% [markdown]
# ## 96. Exercise 2: cross entropy in one go
#
# From the logits to the loss there are eight steps. Together they are simple. For one example with target y:
#
#     loss = -log p_y = -z_y + log(sum over k of exp(z_k))
#     d loss / d z_i = -[i = y] + exp(z_i) / sum = p_i - [i = y]
#
# So the gradient is **the probabilities, minus 1 at the target**, and over a batch divided by n.
#
# **Question**: loss in one line from logits, and dlogits (32, 27) in one line. Hint: `jax.nn.log_softmax`, `one_hot`.

# %%
answer(loss=None, logits=None)

# %% tags=["solution"]
loss_one_go = -jax.nn.log_softmax(logits)[jnp.arange(n), Y].mean()
dlogits_one_go = (jax.nn.softmax(logits) - jax.nn.one_hot(Y, len(vocab))) / n
one_go = {"loss": abs(float(loss_one_go - loss)), "dlogits": float(jnp.abs(dlogits_one_go - dlogits).max())}
answer(logits=dlogits_one_go)
print(f"loss {loss_one_go:.4f}, {one_go['loss']:.0e} from the loss of 19 steps; lecture 2e-07, 5e-09 for dlogits")

# %% [markdown]
# The first row: the probabilities, and the gradient times n. They differ at the target alone, by 1; and the gradient
# sums to 0.

# %%
row = n * dlogits_one_go[0]
print(probs[0])
print(row)
print(f"target {vocab.chars[Y[0]]!r}: {row[Y[0]]:.4f}; sum of the row {row.sum():.0e}")

# %% [markdown]
# All 32 rows; black is the one place of each row that is negative:

# %%
figure, ax = plt.subplots(figsize=(7, 6.5))
ax.imshow(dlogits, cmap="gray")
ax.set_xticks(range(len(vocab)), vocab.chars)
ax.set_ylabel("example")
_ = ax.set_xlabel("logit")

# %% [markdown]
# Read a row as **forces** on the logits (minus the gradient): the target is pulled up, all others are pushed down, each
# in proportion to the probability it had no right to. The pull and the pushes balance. A right and sure prediction
# feels no force; a wrong and sure one the greatest.

# %%
figure, ax = plt.subplots(figsize=(8.5, 3.4))
_ = pictures.forces(row, vocab.chars, int(Y[0]), ax)

# %% [markdown]
# `jax.jacrev` gives the **Jacobian**: the derivative of each probability with respect to each logit. It is
# diag(p) - p p^T. On the diagonal stands p (1 - p): a larger logit raises its own probability. Elsewhere stands
# -p_i p_k: it lowers the others.

# %%
p = probs[0]
jacobian = jax.jacrev(jax.nn.softmax)(logits[0])  # (27, 27)
jacobian_apart = float(jnp.abs(jacobian - (jnp.diag(p) - jnp.outer(p, p))).max())
print(f"largest difference {jacobian_apart:.0e}; row sums at most {jnp.abs(jacobian.sum(1)).max():.0e}")

# %%
figure, ax = plt.subplots(figsize=(6.5, 5.5))
reach = 3 * float(-jacobian.min())  # the diagonal is darker than the scale shows
image = ax.imshow(jacobian, cmap="RdBu", vmin=-reach, vmax=reach)
ax.set_xticks(range(len(vocab)), vocab.chars)
ax.set_yticks(range(len(vocab)), vocab.chars, fontsize=7)
ax.set(xlabel="logit", ylabel="probability")
_ = figure.colorbar(image, extend="max")

# %% [markdown]
# **Try** to get (p - one_hot) from this matrix. Hint: the gradient at p of -log p_y is 0 but at y.
#
# <details><summary>Answer</summary>
#
# It is -1 / p_y at y, so the chain rule picks row y of the matrix, divided by -p_y: -(p_y [i = y] - p_y p_i) / p_y =
# p_i - [i = y]. The division by a small probability and the multiplication by it cancel; in one go neither is done,
# which is why the one-go formula is also the safer one.
#
# ```python
# jnp.abs(-jacobian[Y[0]] / p[Y[0]] - row).max()  # rounding
# ```
# </details>
#
# ## 97. Exercise 3: batch normalization in one go
#
# From hpreact to hprebn there are seven steps and two forks. Take one of the 64 columns, with n examples, and write
# x = hprebn, m = bnmeani, v = bnvar, s = bnvar_inv, r = bnraw, d = dhpreact. A change of x_j acts on r_j itself, and
# through mean and variance on every r_i:
#
#     r_i = (x_i - m) s         m = sum x / n         v = sum (x - m)^2 / (n - 1)         s = (v + eps)^-0.5
#     dr_i/dx_j = s ([i = j] - 1/n)  +  (x_i - m) ds/dx_j
#     ds/dx_j   = -0.5 s^3 dv/dx_j   = -0.5 s^3 * 2 (x_j - m) / (n - 1)   = -s^2 r_j / (n - 1)
#     dr_i/dx_j = s ([i = j] - 1/n - r_i r_j / (n - 1))
#
# Multiply by gain d_i, and sum over i:
#
#     dx_j = gain s / n * (n d_j - sum d - n / (n - 1) r_j sum(d r))
#
# **Question**: dhprebn (32, 64) in one line, sums over axis 0.

# %%
answer(hprebn=None)

# %% tags=["solution"]
dsum, drsum = dhpreact.sum(0, keepdims=True), (dhpreact * bnraw).sum(0, keepdims=True)
dhprebn_one_go = gain * bnvar_inv / n * (n * dhpreact - dsum - n / (n - 1) * bnraw * drsum)
one_go["dhprebn"] = float(jnp.abs(dhprebn_one_go - dhprebn).max())
answer(hprebn=dhprebn_one_go)
print("lecture: 9e-10 apart")

# %% [markdown]
# The two sums say how an example feels the others: what all of them ask for together is taken away (the mean would
# undo it), and what would only stretch or shrink the column is taken away too (the variance would undo it). What is
# left is the part that the norm lets through.
#
# **Try** a batch of two: `n = 2`. What is left of the gradient?
#
# <details><summary>Answer</summary>
#
# Next to nothing. Two normalised numbers are always +0.7071 and -0.7071 (n - 1 = 1), whatever they were; moving one of
# them changes nothing, but for eps. In the formula the three terms cancel: the median of |dhprebn| is 1e-07 (of
# |dhpreact| 0.02). Only columns in which the two nearly agree, as near as the root of eps, feel a force, and a large
# one.
#
# ```python
# two = walk_back(forward(params, X[:2], Y[:2]), pull_by_jax)
# print(jnp.median(jnp.abs(two["hprebn"])), jnp.median(jnp.abs(two["hpreact"])))
# ```
# </details>
#
# ## 98. Exercise 4: train without autodiff
#
# Everything together: 200 hidden, the two formulas in one go, no `jax.grad`.
#
# **Question**: a function `by_hand(params, X, Y)` that returns the loss and a dictionary of the seven gradients.

# %% tags=["solution"]


def by_hand(params, X, Y):
    """Returns the loss and its gradients: 10 lines forward, 10 lines backward."""
    n, (C, W1, b1, W2, b2, gain, bias) = len(Y), (params[name] for name in ORDER)
    emb = C[X]  # (n, 3, 10)
    embcat = emb.reshape(n, -1)  # (n, 30)
    hprebn = embcat @ W1 + b1[None]  # (n, hidden)
    bnvar_inv = (hprebn.var(0, keepdims=True, ddof=1) + 1e-5) ** -0.5
    bnraw = (hprebn - hprebn.mean(0, keepdims=True)) * bnvar_inv
    h = jnp.tanh(gain * bnraw + bias)
    log_probs = jax.nn.log_softmax(h @ W2 + b2[None])  # (n, 27)
    loss = -log_probs[jnp.arange(n), Y].mean()

    dlogits = (jnp.exp(log_probs) - jax.nn.one_hot(Y, len(b2))) / n
    dhpreact = (1 - h**2) * (dlogits @ W2.T)
    dsum, drsum = dhpreact.sum(0, keepdims=True), (dhpreact * bnraw).sum(0, keepdims=True)
    dhprebn = gain * bnvar_inv / n * (n * dhpreact - dsum - n / (n - 1) * bnraw * drsum)
    demb = (dhprebn @ W1.T).reshape(emb.shape)
    first = {"C": jnp.zeros_like(C).at[X].add(demb), "W1": embcat.T @ dhprebn, "b1": dhprebn.sum(0)}
    return loss, {**first, "W2": h.T @ dlogits, "b2": dlogits.sum(0), "gain": drsum, "bias": dsum}


ORDER = ("C", "W1", "b1", "W2", "b2", "gain", "bias")
value, grads = by_hand(params, X, Y)
answer(**grads)

# %% [markdown]
# For comparison the same loss for `jax.grad`, forward alone:


# %%
def hidden(params, X):
    return params["C"][X].reshape(len(X), -1) @ params["W1"] + params["b1"][None]


def log_probs(params, x, mean, var):
    bnraw = (x - mean) * (var + 1e-5) ** -0.5
    return jax.nn.log_softmax(jnp.tanh(params["gain"] * bnraw + params["bias"]) @ params["W2"] + params["b2"][None])


def loss_of(params, X, Y):
    x = hidden(params, X)
    rows = log_probs(params, x, x.mean(0, keepdims=True), x.var(0, keepdims=True, ddof=1))
    return -rows[jnp.arange(len(Y)), Y].mean()


# %% [markdown]
# Start weights and rows of the minibatches come from the lecture's generator:

# %%
torch = TorchGenerator(2147483647)
start = draw_params(torch, 200, jax.random.key(4))
num_params_200 = sum(leaf.size for leaf in start.values())
rows_20k = jnp.asarray(torch.randint(len(X_train), 20_000, 32), jnp.int32)  # (20000, 32)
print(f"{num_params_200:,} parameters")

# %% [markdown]
# The loop: one compiled scan over the steps. `value_and_grad` is an argument, so the same loop takes your gradients or
# JAX's.


# %%
@functools.partial(jax.jit, static_argnums=0)
def train(value_and_grad, params, X, Y, rows, rate):
    def step(params, row):
        value, grads = value_and_grad(params, X[row], Y[row])
        return jax.tree.map(lambda leaf, grad: leaf - rate * grad, params, grads), value

    return jax.lax.scan(step, params, rows)


trained, losses = train(by_hand, start, X_train, Y_train, rows_20k, 0.1)
printed = ", ".join(f"{value:.4f}" for value in losses[::10_000])
print(f"ours:    {printed}   at steps 0 and 10,000")
print("lecture: 3.7805, 2.1775   (other gain and bias: lost)")

# %% [markdown]
# The same 20,000 steps by `jax.grad`. Neither has seen the other: how long do the losses agree?

# %%
_, losses_by_grad = train(jax.value_and_grad(loss_of), start, X_train, Y_train, rows_20k, 0.1)
off = np.abs(np.asarray(losses) - np.asarray(losses_by_grad))
losses_apart = float(off.max())
for limit in (0, 1e-7, 3e-7, 1e-6, 1e-5):
    beyond = off > limit
    print(f"further apart than {limit:<5g}: {beyond.mean():7.2%} of the steps", end="")
    print(f", first at step {beyond.argmax():,}" if beyond.any() else "")

# %%
figure, ax = plt.subplots(figsize=(8, 3.6))
ax.semilogy(np.arange(len(off))[off > 0], off[off > 0], ".", markersize=2)
ax.axhline(2.0**-22, color="C1", zorder=3, label="one rounding of a loss between 2 and 4")
ax.set(xlabel="step", ylabel="difference of the losses", ylim=(5e-8, 1e-4))
_ = ax.legend()

# %% [markdown]
# Twenty thousand steps, and the two roads are still within a few roundings of each other. (Not every run is so
# well-behaved: in the one called "original" of `lecture_3_activations`, most tanh are saturated at the start, and
# rounding grows until the losses have no digit in common.)
#
# **After training** the mean and the variance of hprebn are measured once over the training set, as in part 3:


# %%
@jax.jit
def statistics(params, X):
    x = hidden(params, X)  # (182625, 200)
    return x.mean(0, keepdims=True), x.var(0, keepdims=True, ddof=1)


@jax.jit
def evaluate(params, stats, X, Y):
    return -log_probs(params, hidden(params, X), *stats)[jnp.arange(len(Y)), Y].mean()


def both_losses(params):
    stats = statistics(params, X_train)
    return [float(evaluate(params, stats, *part)) for part in ((X_train, Y_train), (X_dev, Y_dev))]


after = both_losses(trained)
print("after 20,000 steps: train {:.4f}, dev {:.4f}".format(*after))

# %% [markdown]
# The lecture goes on to 200,000 steps, the second half at rate 0.01. It takes half a minute, and is left out unless
# `MM_JAX_LONG` is set.


# %%
def go_on(params, losses, rows):
    """Takes the other 180,000 steps, in runs of 20,000."""
    for chunk in range(1, 10):
        part = jnp.asarray(rows[chunk * 20_000 : (chunk + 1) * 20_000], jnp.int32)
        params, more = train(by_hand, params, X_train, Y_train, part, 0.1 if chunk < 5 else 0.01)
        losses = jnp.concatenate([losses, more])
    return params, losses


long = long_after = None
if figures.LONG:
    torch = TorchGenerator(2147483647)
    _ = draw_params(torch, 200, jax.random.key(4))  # the same draws come first
    long = go_on(trained, losses, torch.randint(len(X_train), 200_000, 32))
    long_after = both_losses(long[0])
print(long_after or "left out: train 2.0707, dev 2.1073 on 2026-11-26; the lecture's 2.0705, 2.1099")

# %% [markdown]
# Batch losses every 10,000 steps: the lecture's, and ours with other draws of gain and bias from the same start:
#
#     lecture  3.7805 2.1775 2.3957 2.5032 2.0065 2.3873 2.3378 2.0640 2.3497 2.1093
#     ours     3.7973 2.1702 2.3853 2.3975 2.0287 2.3534 2.3603 2.0154 2.3960 2.1171
#
#     lecture  1.9132 2.2229 1.9912 2.4441 2.3198 2.1857 2.0296 1.8391 2.0436 1.9200
#     ours     1.9549 2.3076 2.0666 2.4007 2.3396 2.2572 1.9104 1.7977 1.9959 1.9595
#
# (An earlier run of the lecture ended at 2.0719 and 2.1162.)
#
# **Twenty names** from the network that no autodiff has touched:


# %%
@jax.jit
def next_probs(params, stats, context):
    return jnp.exp(log_probs(params, hidden(params, context[None]), *stats)[0])


def sample(params, stats, torch):
    name, context = "", [0, 0, 0]
    while len(name) < 40:
        ix = torch.categorical(np.asarray(next_probs(params, stats, jnp.array(context))))
        if ix == 0:
            break
        name, context = name + vocab.chars[ix], [*context[1:], ix]
    return name


name_draws, stats = TorchGenerator(2147483647 + 10), statistics(trained, X_train)
print(textwrap.fill(" ".join(sample(trained, stats, name_draws) + "." for _ in range(20)), 98))

# %% [markdown]
# (The lecture's run from *carmahzamille.* to *iia.*; its gain and bias are lost.)
#
# **Try** to leave out the last term of dhprebn, `n / (n - 1) * bnraw * drsum`, as if the variance were a constant. Does
# it still train? And without `dsum` as well?
#
# <details><summary>Answer</summary>
#
# It does, and no worse: after 20,000 steps train 2.2121, dev 2.2291 (right: 2.2135, 2.2309; one run each). Without both
# sums 2.2270, 2.2392. A wrong gradient trains too: a falling loss proves nothing, which is why the checks above compare
# numbers.
# </details>
#
# ## 99. Your gradients under `value_and_grad`, optax and `mm_jax.fit`
#
# `jax.custom_vjp` gives a function a backward pass of your own. From then on everything that differentiates it uses
# yours, and does not know. The function runs forward and keeps what the way back needs; the way back turns dy into the
# gradients of the arguments.

# %%
hand_loss = jax.custom_vjp(lambda params, X, Y: by_hand(params, X, Y)[0])
hand_loss.defvjp(
    lambda params, X, Y: by_hand(params, X, Y),  # the loss, and what to keep: here the gradients themselves
    lambda grads, dy: (jax.tree.map(lambda grad: dy * grad, grads), None, None),
)
value, grads = jax.value_and_grad(hand_loss)(params, X, Y)
answer(**grads)

# %% [markdown]
# An optax optimizer on it, and on JAX's own gradients, 500 steps of Adam:


# %%
@functools.partial(jax.jit, static_argnums=0)
def adam_run(loss_of, params, X, Y, rows):
    adam = optax.adam(1e-3)

    def step(carry, row):
        params, state = carry
        value, grads = jax.value_and_grad(loss_of)(params, X[row], Y[row])
        updates, state = adam.update(grads, state, params)
        return (optax.apply_updates(params, updates), state), value

    return jax.lax.scan(step, (params, adam.init(params)), rows)[1]


ours, jaxs = (adam_run(f, start, X_train, Y_train, rows_20k[:500]) for f in (hand_loss, loss_of))
optax_apart = float(jnp.abs(ours - jaxs)[:100].max())
print(f"loss {ours[0]:.4f} to {ours[-50:].mean():.4f}; the first 100 losses at most {optax_apart:.0e} apart")

# %% [markdown]
# **The package's training.** A model of mm_jax is a class and its `logits` for one context. Give part 2's MLP a
# hand-made way back, register it, and `mm_jax.fit` trains on it unchanged, under its own `vmap`, `jit` and `scan`:


# %%
@mm_jax.pytree
class HandMLP:
    C: jax.Array
    W1: jax.Array
    b1: jax.Array
    W2: jax.Array
    b2: jax.Array
    vocab: mm_jax.Vocab


def ahead(params, context):
    x = params.C[context].reshape(-1)
    h = jnp.tanh(x @ params.W1 + params.b1)
    return h @ params.W2 + params.b2, (params, context, x, h)


# %% tags=["solution"]
def back_again(kept, dlogits):
    params, context, x, h = kept
    dz = (1 - h**2) * (params.W2 @ dlogits)
    demb = (params.W1 @ dz).reshape(len(context), -1)
    dC = jnp.zeros_like(params.C).at[context].add(demb)
    outer = {"W1": jnp.outer(x, dz), "W2": jnp.outer(h, dlogits)}
    return dataclasses.replace(params, C=dC, b1=dz, b2=dlogits, **outer), None


# %%
hand_logits = jax.custom_vjp(lambda params, context: ahead(params, context)[0])
hand_logits.defvjp(ahead, back_again)
_ = mm_jax.windowed(HandMLP, block_size=lambda params: params.W1.shape[-2] // params.C.shape[-1], logits=hand_logits)

# %%
mlp = mm_jax.mlp.init(jax.random.key(84), vocab)
hand_mlp = HandMLP(**{name: getattr(mlp, name) for name in ("C", "W1", "b1", "W2", "b2")}, vocab=vocab)
fitted = [mm_jax.fit(net, split.train, jax.random.key(85), steps=500)[1].loss for net in (mlp, hand_mlp)]
fit_apart = float(np.abs(np.asarray(fitted[0]) - np.asarray(fitted[1])).max())
print(f"losses {fitted[1][0]:.4f} to {np.mean(fitted[1][-20:]):.4f}, at most {fit_apart:.0e} from those of mm_jax.mlp")

# %% [markdown]
# **Another oracle**, which knows no derivatives (finite differences): `check_grads` moves the arguments a little in a
# random direction and compares the change of the loss with the gradient. It needs float64: in float32, rounding hides
# the change. It raises an error where they differ.

# %%
with jax.enable_x64():
    params64 = {name: jnp.asarray(leaf, jnp.float64) for name, leaf in params.items()}
    check_grads(
        lambda params: hand_loss(params, X, Y), (params64,), order=1, modes=["rev"], atol=1e-8, rtol=1e-6, eps=1e-6
    )
print("finite differences agree to six digits")

# %% [markdown]
# Does it notice a mistake? A gradient with a wrong sign at b2:

# %%
wrong_loss = jax.custom_vjp(lambda params, X, Y: by_hand(params, X, Y)[0])
wrong_loss.defvjp(by_hand, lambda grads, dy: ({**grads, "b2": -grads["b2"]}, None, None))
with jax.enable_x64():
    try:
        check_grads(
            lambda params: wrong_loss(params, X, Y), (params64,), order=1, modes=["rev"], atol=1e-8, rtol=1e-6, eps=1e-6
        )
    except AssertionError as error:
        print("AssertionError:", str(error).strip().splitlines()[0])

# %% [markdown]
# ## 100. What autodiff writes
#
# `jax.make_jaxpr` shows the program that JAX makes of a function: one equation a line. For the loss of 19 steps, and
# for its gradient:


# %%
def loss_of_steps(params, X, Y):
    return forward(params, X, Y)["loss"]


programs = [jax.make_jaxpr(f)(params, X, Y) for f in (loss_of_steps, jax.grad(loss_of_steps))]
equations = [len(program.eqns) for program in programs]
print(f"{equations[0]} equations, with the gradient {equations[1]}")

# %% [markdown]
# In the second are six products: two forward, four backward, with the shapes of sections 91 and 94. (The last column
# gives the axes that are summed over; JAX writes these in place of transposes.)

# %%
products = [eqn for eqn in programs[1].eqns if eqn.primitive.name == "dot_general"]
for eqn in products:
    left, right = (str(each.aval.shape) for each in eqn.invars)
    print(f"{left:10} {right:10} -> {eqn.outvars[0].aval.shape!s:10} axes {eqn.params['dimension_numbers'][0]}")

# %% [markdown]
# What the third and the fourth product have in common is autodiff's own **dlogits**. Cut the program there, run it, and
# compare:

# %%
found = products[2].invars[0]
print("same variable in both:", found is products[3].invars[0])
cut = programs[1].replace(
    jaxpr=programs[1].jaxpr.replace(
        outvars=[found], debug_info=programs[1].jaxpr.debug_info._replace(result_paths=None)
    )
)
(inside,) = jaxpr_as_fun(cut)(*jax.tree.leaves((params, X, Y)))
inside_apart = float(jnp.abs(inside - dlogits).max())
print(check("dlogits", dlogits, inside))

# %% [markdown]
# The last lines before it are yours from section 90: `add_any` adds the two paths at counts; times counts; minus, sum
# along the row; the path of the maximum; and the second `add_any` adds the two paths at the logits.

# %%
here = next(i for i, eqn in enumerate(programs[1].eqns) if found in eqn.outvars)
print(
    *(f"{eqn.primitive.name:20}{eqn.outvars[0].aval.shape}" for eqn in programs[1].eqns[here - 15 : here + 1]), sep="\n"
)

# %% [markdown]
# And what does it cost? Ask the compiler, for your 20 rules, which give all 26 gradients ("26 rules" below), the
# formulas in one go, `jax.grad` of the 19 steps, and `jax.grad` of the loss as it is usually written.


# %%
def by_26_rules(params, X, Y):
    grads = walk_back(forward(params, X, Y), pull_by_rule)
    return grads["loss"], {name: grads[name] for name in params}


ways = {
    "26 rules": by_26_rules,
    "one go": by_hand,
    "grad of 19 steps": jax.value_and_grad(loss_of_steps),
    "grad of the loss": jax.value_and_grad(loss_of),
}
print("way                operations      bytes    exp, log, tanh")
for name, way in ways.items():
    cost = jax.jit(way).lower(params, X, Y).compile().cost_analysis() or {}
    print(f"{name:18} {cost['flops']:10,.0f} {cost['bytes accessed']:10,.0f} {cost['transcendentals']:10,.0f}")

# %% [markdown]
# The numbers of operations are within 6% of each other, for 700,416 of each are the six products. What was hard to
# derive saves little here. The reason to know the formulas is to know what happens, and to write them where autodiff
# cannot: a kernel of your own, a step that has no derivative.
#
# ## Closing
#
# Nothing in training is a black box now: a forward pass of 19 steps, 20 rules, one walk. Three questions, each
# answered by changing one value:
#
# 1. `1e-5` to `1.0`, in the steps alone, or in the rules as well: which gradients become wrong? Does db1 stay 0?
# 2. `torch.randint(len(X_train), 32)` to 64 rows: by what factor do the gradients at the logits shrink, by what factor
#    those of W2?
# 3. `keepdims=True` to False in `counts_sum` (forward): which rule breaks first?
#
# <details><summary>Answers</summary>
#
# 1. None, if the rule changes with the step. If it does not, dbnvar is wrong, and bndiff2, bndiff, hprebn, embcat, W1,
#    emb and C with it. db1 stays 0 either way: eps does not touch the mean.
# 2. dlogits by 2, for each row is divided by n. dW2 by 1.4 (root mean square): it is a mean over examples that mostly
#    disagree. db2 not at all: there they agree.
# 3. None of the rules is reached: (32, 27) times (32,) does not broadcast, and the forward pass says so. With 27 rows
#    it would broadcast, along the wrong axis, and nothing would say so: part 1's bug.
# </details>
#
# **Next**: [lecture_5_wavenet](lecture_5_wavenet.ipynb), deeper and with longer contexts, with autodiff again.
#
# **References**: Ioffe and Szegedy, [Batch normalization](https://arxiv.org/abs/1502.03167) (its section 3 has the
# gradient); JAX: [the autodiff cookbook](https://docs.jax.dev/en/latest/notebooks/autodiff_cookbook.html),
# [custom derivative rules](https://docs.jax.dev/en/latest/notebooks/Custom_derivative_rules_for_Python_code.html).
#
# ## All figures
#
# "lecture": printed in the lecture. "ours": computed for this notebook. "draws lost": the lecture did not keep the
# random numbers, so its figure and ours stand side by side, unchecked.

# %%
figures.show("lecture_4_backprop", globals())
