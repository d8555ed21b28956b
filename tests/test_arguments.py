"""What users pass by mistake: one ValueError that names it, from every verb."""

import dataclasses
import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import mm_jax

from .conftest import unchecked
from .models import zoo

WORDS = ["ab", "b", "abb", "ba", "bb", "a", "aab"]
VOCAB = mm_jax.Vocab.from_words(WORDS)
VERBS = {
    "sample": lambda params, path: mm_jax.sample(params, jax.random.key(0), 2),
    "score": lambda params, path: mm_jax.score(params, "ab"),
    "evaluate": lambda params, path: mm_jax.evaluate(params, WORDS),
    "most_probable": lambda params, path: mm_jax.most_probable(params, 2),
    "fit": lambda params, path: mm_jax.fit(params, WORDS, jax.random.key(0), steps=1),
    "save": lambda params, path: mm_jax.save(params, path / "model.safetensors"),
}


def model():
    return mm_jax.mlp.init(jax.random.key(0), VOCAB, block_size=2, embedding_dim=2, hidden_dim=4)


def deleted():
    params = model()
    params.W1.delete()
    return params


def stacked():
    return jax.vmap(lambda key: mm_jax.bigram.init(key, VOCAB))(jax.random.split(jax.random.key(0), 3))


CASES = {
    "lists": (lambda: mm_jax.Bigram(W=[[0.0] * 3] * 3, vocab=VOCAB), "W of Bigram holds a float: give an array"),
    "None": (lambda: dataclasses.replace(model(), b1="x"), "b1 of MLP holds a str: give an array"),
    "deleted": (deleted, "W1 of MLP was deleted, or donated"),
    "stacked": (stacked, r"W of Bigram has the shape \(3, 3, 3\).*mm_jax.member\(params, i\) takes one"),
    "flat": (lambda: mm_jax.Bigram(W=jnp.zeros(9), vocab=VOCAB), r"shape \(9,\), where 2 dimension"),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("verb", VERBS)
def test_parameters_that_are_none(verb, case, tmp_path):
    make, message = CASES[case]
    with pytest.raises(ValueError, match=message):
        VERBS[verb](make(), tmp_path)


def test_a_part_of_a_model_is_looked_at_too():
    params = mm_jax.transformer.init(jax.random.key(0), VOCAB, num_layers=1, num_heads=1, width=4)
    block = dataclasses.replace(params.blocks[0], bo=[0.0, 0.0, 0.0, 0.0])
    with pytest.raises(ValueError, match="bo of Block holds a float"):
        mm_jax.score(dataclasses.replace(params, blocks=(block,)), "ab")
    table = mm_jax.counts.fit(WORDS, VOCAB, 1.0)
    with pytest.raises(ValueError, match="N of Counts was deleted"):
        mixed = mm_jax.mixture.fit([table, mm_jax.ngram.fit(WORDS, VOCAB, 2)], WORDS)
        mixed.members[0].N.delete()
        mm_jax.evaluate(mixed, WORDS)


def test_a_file_of_another_kind_than_like_is_refused(tmp_path):
    """Shapes alone do not tell a model's kind: two heads and four, an RNN and an MLP."""
    path, key = tmp_path / "model.safetensors", jax.random.key
    heads = {n: mm_jax.transformer.init(key(n), VOCAB, num_layers=1, num_heads=n, width=4) for n in (2, 4)}
    mm_jax.save(heads[2], path)
    assert mm_jax.load(path, like=heads[2]).num_heads == 2
    with pytest.raises(ValueError, match="a Transformer with num_heads 2, and not 4"):
        mm_jax.load(path, like=heads[4])
    mm_jax.save(mm_jax.rnn.init(key(0), VOCAB, hidden_dim=4), path)
    like = mm_jax.mlp.init(key(1), VOCAB, block_size=1, embedding_dim=4, hidden_dim=4)
    with pytest.raises(ValueError, match="it holds another model than `like`: a RNN, and not a MLP"):
        mm_jax.load(path, like=like)
    pair = mm_jax.Mixture(members=(heads[2], heads[4]), scores=jnp.zeros(2), vocab=VOCAB)
    mm_jax.save(pair, path)
    other = mm_jax.Mixture(members=(heads[2], heads[2]), scores=jnp.zeros(2), vocab=VOCAB)
    with pytest.raises(ValueError, match="members of Mixture: a Transformer with num_heads 4, and not 2"):
        mm_jax.load(path, like=other)


@pytest.mark.parametrize(
    "call",
    [
        lambda: mm_jax.counts.fit(["ab"], VOCAB, smoothing=1e39),
        lambda: mm_jax.ngram.fit(["ab"], VOCAB, 2, smoothing="add-k", k=1e39),
        lambda: mm_jax.Recipe(steps=1, learning_rate=1e300),
        lambda: mm_jax.Recipe(steps=1, l2=1e300),
        lambda: mm_jax.counts.fit(["ab"], VOCAB, smoothing=10**400),
    ],
    ids=["smoothing", "k", "learning_rate", "l2", "no float"],
)
def test_numbers_beyond_float32(call):
    with pytest.raises(ValueError, match=r"beyond float32|give 0 or more"):
        call()


def test_a_repr_is_short():
    mixed = mm_jax.Mixture(
        members=(mm_jax.ngram.fit(["ab", "ba"], VOCAB, 4), mm_jax.gru.init(jax.random.key(0), VOCAB)),
        scores=jnp.zeros(2),
        vocab=VOCAB,
    )
    text = repr(mixed)
    assert "\n" not in text and len(text) < 900
    assert "GRU(" in text and "float32[2]" in text
    params, history = mm_jax.fit(mm_jax.bigram.init(jax.random.key(0), VOCAB), ["ab"], jax.random.key(1), steps=3)
    assert repr(params) == "Bigram(W=float32[3, 3], vocab=Vocab(chars='.ab', units='characters'))"
    assert repr(history).startswith("History(3 steps, loss ")


KEY = jax.random.key(0)
USUAL = {"key": KEY, "keys": KEY[None], "vocab": VOCAB, "words": WORDS, "params": mm_jax.bigram.init(KEY, VOCAB)}
WRONG = USUAL | {"a number": 7, "None": None}
NAMED = {
    "key": "^key (is|has shape) .*: give a random key",
    "keys": "^keys (is|has shape) .*: give an array of random keys",
    "vocab": "^vocab is .*: give a vocabulary, such as mm_jax.Vocab.from_words",
    "words": "^expected (a list of words, got|words as str)",
    "params": "is not a (model|prior): parameters come first",
}
OTHERS = {"word": "ab", "teacher": USUAL["params"], "N": np.zeros((3, 3), int), "members": [USUAL["params"]] * 2}
OTHERS |= {"dev": WORDS, "path": "model.safetensors", "state": np.zeros(1, int), "tokens": np.zeros(1, int)}
OTHERS |= {"i": 0, "k": 1, "token": 0}
FUNCTIONS = {
    f"{zoo.short(module)}.{name}": getattr(module, name)
    for module in zoo.FILES
    for name in ("init", "fit", "from_table")
    if hasattr(module, name)
}
FUNCTIONS |= {f"{each}.wrap": getattr(mm_jax.models, each).wrap for each in ("fresh", "widened")}
FUNCTIONS |= {f"prior.{name}": getattr(mm_jax.prior, name) for name in ("adapt", "interpolate", "restrict")}
FUNCTIONS |= {name: getattr(mm_jax, name) for name in mm_jax.__all__ if inspect.isfunction(getattr(mm_jax, name))}
FUNCTIONS.pop("num_params")  # it counts any arrays


def required(function):
    """The arguments that have no default."""
    every = inspect.signature(function).parameters.values()
    return [each.name for each in every if each.default is each.empty and each.kind == each.POSITIONAL_OR_KEYWORD]


@pytest.mark.parametrize("name", [name for name, each in FUNCTIONS.items() if set(required(each)) & set(USUAL)])
def test_arguments_in_another_order(name):
    """Whatever stands in the place of a key, a vocabulary, a list or a model: the error names it, and what to give."""
    function, usual = FUNCTIONS[name], USUAL | OTHERS
    if name.startswith("prior."):
        usual = usual | {"params": mm_jax.prior.load()}
    elif name in ("fit_population", "evaluate_population", "member", "best_on_dev"):
        usual = usual | {"params": jax.tree.map(lambda leaf: leaf[None], USUAL["params"])}
    given = {each: usual[each] for each in required(function)}
    steps = {"steps": 1} if name in ("fit", "fit_population") else {}
    for argument in set(given) & set(USUAL):
        for kind, value in WRONG.items():
            if kind != argument:
                with unchecked(), pytest.raises(ValueError, match=NAMED[argument]):
                    function(**given | steps | {argument: value})
