"""How to train: one object that carries every option, and the form in which it is written to a file.

`fit`, `run`, `fit_population`, `lr_range_test`, run folders and the command all take a `Recipe`, or the keywords that
make one. An option is declared here and nowhere else.
"""

import dataclasses
import functools
import inspect
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import optax

from mm_jax.models.contract import Model
from mm_jax.numbers import whole_number
from mm_jax.training.muon import muon
from mm_jax.training.sameness import Same
from mm_jax.vocab import Vocab

MAX_CELLS = 2**26  # of a table of float32, of contexts or prefixes and what follows them: 256 MB
_CHARACTERS = 228_145  # of names.txt, ends included: the list that the recipes were made for
_LOGITS = 2**18  # of a batch of examples or contexts: more of a large alphabet's would take minutes

Draw = Literal["examples", "contexts", "words"]
Optimizer = optax.GradientTransformation | Callable[..., optax.GradientTransformation]
Decay = Callable[[np.ndarray], np.ndarray]


def constant(t: np.ndarray) -> np.ndarray:
    """The peak rate at all t [steps]."""
    return np.ones_like(t)


def cosine(t: np.ndarray) -> np.ndarray:
    """From the peak rate to 0 along half a cosine: t [steps] is the share of the steps that were made."""
    return 0.5 * (1 + np.cos(np.pi * t))


def tenth(t: np.ndarray) -> np.ndarray:
    """The peak rate for the first half of t [steps], a tenth of it for the second. Source: makemore part 2."""
    return np.where(t < 0.5, 1.0, 0.1)


def linear(t: np.ndarray) -> np.ndarray:
    """Up to the peak rate over the first twentieth of t [steps], then down to 0 along a line."""
    return np.minimum(t / 0.05, (1 - t) / 0.95)


def adamw(learning_rate: Any, weight_decay: float = 0.0) -> optax.GradientTransformation:
    """Adam with decoupled weight decay, its second moment over 100 steps: runs here are short."""
    return optax.adamw(learning_rate, b2=0.99, weight_decay=weight_decay)


DECAYS: dict[str, Decay] = {each.__name__: each for each in (constant, cosine, tenth, linear)}
OPTIMIZERS: dict[str, Callable[..., optax.GradientTransformation]] = {
    "sgd": optax.sgd,
    "adam": optax.adam,
    "adamw": adamw,
    "muon": muon,
}


def _ready(optimizer: optax.GradientTransformation, rate: None) -> optax.GradientTransformation:
    return optimizer


_NAMED: dict[str, dict[str, Any]] = {"optimizer": OPTIMIZERS, "decay": DECAYS}


@dataclass(frozen=True)
class Recipe:
    """All options of training.

    Args:
      steps: number of gradient steps.
      batch_size: examples, contexts or rows of whole words a step. None is the full batch.
      draw: what a batch is made of: examples, contexts or words. "examples" are drawn as in the lecture; "contexts" are
        distinct ones with all that followed, a gradient that varies far less; "words" are whole ones, the only draw of
        models that see the whole word. None is "examples", or "words" where that is the only one.
      optimizer: which one: sgd, adam, adamw or muon. In Python a function of the learning rate, such as optax.adam, or
        an optax optimizer, such as optax.adam(0.01).
      learning_rate: the rate at its peak. 0.1 for the default, the lecture's SGD; None for an optax optimizer, which
        holds its own. Another rate, number of steps or decay does not compile anew.
      decay: how the rate falls: constant, cosine, linear or tenth. In Python a function of t / steps that multiplies
        the rate, of float64 arrays.
      weight_decay: that of adamw and muon.
      l2: adds l2 * mean(W^2) to the loss for each weight matrix W, as in the lecture.
      drop_tokens: share of the input characters that a step leaves out.
      drop_states: share of the hidden states that a step leaves out.
      drop_edges: share of the attention edges that a step leaves out.
      teach: share of a teacher in what whole words are learned from; the rest is what followed each prefix. The teacher
        is the one given to `fit`, or else a Kneser-Ney model of the same words.

    Raises ValueError for numbers out of range, and for a rate without an optimizer to take it.

    >>> Recipe(steps=4, learning_rate=1.0, decay=tenth).rates().tolist()
    [1.0, 1.0, 0.10000000149011612, 0.10000000149011612]
    """

    steps: int
    batch_size: int | None = 32
    draw: Draw | None = None
    optimizer: Optimizer = optax.sgd
    learning_rate: float | None = None
    decay: Decay = constant
    weight_decay: float = 0.0
    l2: float = 0.0
    drop_tokens: float = 0.0
    drop_states: float = 0.0
    drop_edges: float = 0.0
    teach: float = 0.0

    def __post_init__(self) -> None:
        if self.optimizer is optax.sgd and self.learning_rate is None:
            object.__setattr__(self, "learning_rate", 0.1)
        whole_number("steps", self.steps)
        if self.batch_size is not None:
            whole_number("batch_size", self.batch_size)
        if self.draw not in (None, "examples", "contexts", "words"):
            raise ValueError(f"draw is {self.draw!r}: choose 'examples', 'contexts' or 'words'")
        if isinstance(self.optimizer, optax.GradientTransformation) == (self.learning_rate is not None):
            raise ValueError(
                "give an optax optimizer (optimizer=optax.adam(0.01)), or with learning_rate a function of it "
                "(optimizer=optax.adam, learning_rate=0.01)"
            )
        if self.learning_rate is not None and not 0 < self.learning_rate < math.inf:
            raise ValueError(f"learning_rate is {self.learning_rate}: give a positive number")
        for name in ("l2", "weight_decay"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name} is {getattr(self, name)}: give 0 or more")
        for name in ("drop_tokens", "drop_states", "drop_edges"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: give a share of 0 or more, below 1")
        if not 0 <= self.teach <= 1:
            raise ValueError(f"teach is {self.teach}: give a share from 0 to 1")

    def but(self, **changes: Any) -> "Recipe":
        """The recipe with other values where they are not None."""
        return dataclasses.replace(self, **{name: value for name, value in changes.items() if value is not None})

    def rates(self) -> np.ndarray | None:
        """The learning rate of every step, float32 [steps]; None where the optimizer holds its own.

        Computed here once: the compiled program takes rates as data, and no schedule is part of it.
        """
        if self.learning_rate is None:
            return None
        return (self.learning_rate * np.asarray(self.decay(np.arange(self.steps) / self.steps))).astype(np.float32)

    @property
    def transformation(self) -> Same:
        """A function of the rate that makes the optax optimizer; equal for recipes that differ in numbers alone."""
        if self.learning_rate is None:
            return Same(functools.partial(_ready, self.optimizer))  # pyright: ignore[reportArgumentType]
        options = {"weight_decay": self.weight_decay} if self.weight_decay else {}
        return Same(functools.partial(self.optimizer, **options))  # pyright: ignore[reportCallIssue, reportArgumentType]

    def as_json(self) -> dict[str, Any]:
        """The recipe as JSON values; ValueError for functions that have no name in this module."""
        values = {each.name: getattr(self, each.name) for each in dataclasses.fields(self)}
        for field, known in _NAMED.items():
            name = next((name for name, function in known.items() if function is values[field]), None)
            if name is None:
                raise ValueError(f"{field} cannot be written to a file: choose one of {', '.join(known)}")
            values[field] = name
        return values

    @staticmethod
    def named(values: Mapping[str, Any]) -> dict[str, Any]:
        """Options with the functions that are named in place of their names; ValueError for an unknown name."""
        options = dict(values)
        for field, known in _NAMED.items():
            if isinstance(name := options.get(field), str):
                if name not in known:
                    raise ValueError(f"{field} is {name!r}: choose one of {', '.join(known)}")
                options[field] = known[name]
        return options

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Recipe":
        """The recipe that `as_json` wrote, or one of a model's `RECIPES`; ValueError for what is no recipe."""
        if unknown := set(values) - {each.name for each in dataclasses.fields(cls)}:
            raise ValueError(f"a recipe has no option {', '.join(sorted(unknown))}")
        try:
            return cls(**cls.named(values))
        except TypeError as error:
            raise ValueError(f"no recipe: {error}") from None


# How a model without recipes is trained: whole words, Adam falling to 0.
_DEFAULT = {
    "steps": 1000,
    "batch_size": 64,
    "draw": "words",
    "optimizer": "adam",
    "learning_rate": 3e-3,
    "decay": "cosine",
}


def recipes_of(model: Model) -> dict[str, Recipe]:
    """Returns how a model is trained, by name, the default first; made for a list as long as names.txt.

    >>> import mm_jax
    >>> list(recipes_of(mm_jax.bigram.MODEL))
    ['tuned', 'lecture']
    """
    named = {name: recipe.training for name, recipe in model.recipes.items() if recipe.training}
    return {name: Recipe.from_json(training) for name, training in (named or {"default": _DEFAULT}).items()}


def recipe_options(model: Model, name: str) -> dict[str, Any]:
    """Returns the options of the model's `init` that go with a recipe."""
    return dict(model.recipes[name].model) if name in model.recipes else {}


def options_for(model: Model, options: Mapping[str, Any], words: Iterable[str]) -> dict[str, Any]:
    """Returns options of a model's `init`; one that limits the length of words lets the longest of `words` through.

    >>> import mm_jax
    >>> options_for(mm_jax.transformer.MODEL, {"width": 8}, ["a" * 40])
    {'max_length': 40, 'width': 8}
    """
    assert model.init is not None  # or it has no options of `init`
    limit = inspect.signature(model.init).parameters.get("max_length")
    if limit is None:
        return dict(options)
    return {"max_length": max(limit.default, *(len(word) for word in words)), **options}


def for_size(recipe: Recipe, characters: int, vocab: Vocab, longer: bool = True) -> Recipe:
    """Scales a recipe tuned on names.txt to another list: steps in proportion, a lower rate for short lists.

    Args:
      recipe: made for names.txt.
      characters: of the list, ends included.
      vocab: its characters.
      longer: whether a longer list takes more steps.
    """
    share = characters / _CHARACTERS
    # A short list is overfitted before a large step is taken.
    rate = (recipe.learning_rate or 0.0) * float(np.clip(np.sqrt(characters / 50_000), 0.05, 1.0))
    least, most = min(300, recipe.steps), max(6000, recipe.steps) if longer else recipe.steps
    recipe = recipe.but(steps=int(np.clip(recipe.steps * share, least, most)), learning_rate=float(f"{rate:.2g}"))
    if characters * len(vocab) > MAX_CELLS // 2:  # a row of counts for each context or prefix would not fit
        recipe = recipe.but(draw="examples" if recipe.draw == "contexts" else recipe.draw, teach=0.0)
    few = max(32, _LOGITS // len(vocab))
    if recipe.draw != "words" and (recipe.batch_size or 0) > few:  # the gradient of fewer is noisier: a lower rate
        rate *= np.sqrt(few / (recipe.batch_size or few))
        recipe = recipe.but(batch_size=few, learning_rate=float(f"{rate:.2g}"))
    return recipe
