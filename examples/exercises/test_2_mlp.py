"""Grades exercise 2 against the package's MLP, jax.nn.log_softmax, and a loop of steps."""

import exercise_2_mlp as answer
import jax
import jax.numpy as jnp
import numpy as np

import mm_jax

WORDS = ["emma", "olivia", "ava", "isabella", "sophia"]
VOCAB = mm_jax.Vocab(".abcdefghijklmnopqrstuvwxyz")


def start(scale=1.0):
    """Parameters of the lecture's kind, and of the package's."""
    model = mm_jax.mlp.init(jax.random.key(0), VOCAB, embedding_dim=4, hidden_dim=12, init="lecture")
    params = {name: getattr(model, name) for name in ("C", "W1", "b1", "W2", "b2")}
    params |= {"W1": 0.3 * params["W1"], "W2": scale * params["W2"]}
    return params, mm_jax.MLP(**params, vocab=VOCAB)


def examples():
    table = [[0, 0, 0, *map(VOCAB.chars.index, word), 0] for word in WORDS]
    windows = [(row[i : i + 3], row[i + 3]) for row in table for i in range(len(row) - 3)]
    return jnp.array([x for x, _ in windows]), jnp.array([y for _, y in windows])


@jax.jit
def right_loss(params, X, Y):
    rows = jax.vmap(mm_jax.mlp.logits, (None, 0))(mm_jax.MLP(**params, vocab=VOCAB), X)
    return -jnp.take_along_axis(jax.nn.log_softmax(rows), Y[:, None], 1).mean()


right_gradient = jax.jit(jax.value_and_grad(right_loss))


def trained(params, X, Y, rows, rate):
    """A Python loop of steps: the last parameters, and the loss before each step."""
    losses = []
    for row in rows:
        value, gradients = right_gradient(params, X[row], Y[row])
        params = {name: params[name] - rate * gradients[name] for name in params}
        losses.append(value)
    return params, jnp.array(losses)


def test_easy(check):
    params, model = start()
    for context in ([0, 0, 0], [0, 5, 13], [26, 1, 5]):
        x = jnp.array(context)
        known = {
            "The bias b2 is missing.": mm_jax.mlp.logits(model, x) - params["b2"],
            "The tokens are joined in the reverse order.": mm_jax.mlp.logits(model, x[::-1]),
            "The numbers of the three embeddings are mixed: all of the first token come first.": scattered(params, x),
        }
        right = mm_jax.mlp.logits(model, x)
        check(f"logits(params, {context})", answer.logits(params, x), right, within=1e-5, known=known)


def scattered(params, x):
    h = jnp.tanh(params["C"][x].T.reshape(-1) @ params["W1"] + params["b1"])
    return h @ params["W2"] + params["b2"]


def test_middle(check):
    X, Y = examples()
    for scale, logits in ((1.0, ""), (1000.0, ", with logits of 1,000")):
        params, _ = start(scale)
        right = right_loss(params, X, Y)
        known = {
            "It is the sum over the batch: the mean is wanted.": right * len(Y),
            "The minus is missing.": -right,
            "exp overflows: take the largest logit of a row away first.": np.nan,
            "exp overflows: take the largest logit of a row away first. ": np.inf,
        }
        check(f"loss(params, X, Y){logits}", answer.loss(params, X, Y), right, within=1e-5, known=known)


def test_hard(check):
    params, _ = start(0.1)
    X, Y = examples()
    rows = jax.random.randint(jax.random.key(1), (6, 8), 0, len(Y))
    right, losses = trained(params, X, Y, rows, 0.5)
    uphill, rising = trained(params, X, Y, rows, -0.5)

    got = jax.jit(answer.train)(params, X, Y, rows, 0.5)
    if not (isinstance(got, tuple) and len(got) == 2):
        check.fail(f"train returns {type(got).__name__}: a pair (params, losses) is wanted.")
    found, seen = got
    known = {
        "The first parameters give them all: does the scan carry the new ones on?": trained(params, X, Y, rows, 0.0)[1],
        "The steps go uphill: minus rate times gradient.": rising,
    }
    check("losses", seen, losses, within=1e-4, known=known)
    for name in params:
        known = {
            "It is as before the first step.": params[name],
            "The steps go uphill: minus rate times gradient.": uphill[name],
        }
        check(f"{name} after 6 steps", found[name], right[name], within=1e-4, known=known)

    short, long = (len(jax.make_jaxpr(answer.train)(params, X, Y, rows[:n], 0.5).eqns) for n in (2, 6))
    if short != long:
        check.fail(f"the program has {short} operations for 2 steps, {long} for 6: use jax.lax.scan.")
