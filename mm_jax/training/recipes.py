"""How to train: one object that carries every option, and its form in a file.

`fit`, `run`, `fit_population`, `lr_range_test`, run folders and the command all take a `Recipe`, or the keywords that
make one. An option is declared here and nowhere else.
"""

import dataclasses
import inspect
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import jax
import numpy as np
import optax

from mm_jax.checks import number, positive_number, shown, whole_number
from mm_jax.layers.products import LARGE
from mm_jax.models.contract import Dropout, Model
from mm_jax.streams import sizes_of
from mm_jax.symbols import CHARACTERS
from mm_jax.training.muon import muon
from mm_jax.vocab import Vocab

MAX_CELLS = 2**26  # of a table of float32, of contexts or prefixes and what follows them: 256 MB
LONG = MAX_CELLS // 2  # characters * vocab_size of a list: a longer one is read from its stream, without tables
_CHARACTERS = 228_145  # of names.txt, ends included: the list that the recipes were made for
_LOGITS = 2**18  # of a batch of examples or contexts: more of a large alphabet's would take minutes

Draw = Literal["examples", "contexts", "words"]
Optimizer = optax.GradientTransformation | Callable[..., optax.GradientTransformation]
Decay = Callable[[np.ndarray], np.ndarray]


def constant(t: np.ndarray) -> np.ndarray:
    """Keeps the peak rate: 1 at all t [steps]."""
    return np.ones_like(t)


def cosine(t: np.ndarray) -> np.ndarray:
    """Falls from 1 to 0 along half a cosine; t [steps] is the share of the steps made so far."""
    return 0.5 * (1 + np.cos(np.pi * t))


def tenth(t: np.ndarray) -> np.ndarray:
    """Keeps 1 for the first half of t [steps] and 0.1 for the second. Source: makemore part 2."""
    return np.where(t < 0.5, 1.0, 0.1)


def linear(t: np.ndarray) -> np.ndarray:
    """Rises from 0 to 1 over the first twentieth of t [steps] (warm-up), then falls to 0 along a line.

    The rate of the very first step is 0.
    """
    return np.minimum(t / 0.05, (1 - t) / 0.95)


def adamw(learning_rate: Any, weight_decay: float = 0.0) -> optax.GradientTransformation:
    """Makes Adam with decoupled weight decay; its second moment averages over 100 steps, because runs are short."""
    return optax.adamw(learning_rate, b2=0.99, weight_decay=weight_decay)


DECAYS: dict[str, Decay] = {decay.__name__: decay for decay in (constant, cosine, tenth, linear)}
OPTIMIZERS: dict[str, Callable[..., optax.GradientTransformation]] = {
    "sgd": optax.sgd,
    "adam": optax.adam,
    "adamw": adamw,
    "muon": muon,
}
DECAYED = ("adamw", "muon")  # the optimizers with weight decay
_NAMED: dict[str, dict[str, Any]] = {"optimizer": OPTIMIZERS, "decay": DECAYS}
# A Dropout's rates, and the options that set them.
_DROPS = {kind: f"drop_{kind}" for kind in Dropout.static_fields}  # pyright: ignore[reportAttributeAccessIssue]


@dataclass(frozen=True, eq=False)
class Transformation:
    """Makes an optax optimizer for a learning rate: a static argument of the compiled steps.

    Two are equal where they hold the same object `make` and the same weight decay. So a recipe, and every recipe with
    a named optimizer, compiles once, whatever its numbers; a lambda written anew compiles anew, as under `jax.jit`.

    `make` is a function of the learning rate, or an optax optimizer, which ignores the rate.
    """

    make: Optimizer
    weight_decay: float = 0.0

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Transformation) and (
            self.make is other.make and self.weight_decay == other.weight_decay
        )

    def __hash__(self) -> int:
        return hash((id(self.make), self.weight_decay))

    def __call__(self, rate: Any) -> optax.GradientTransformation:
        """Makes the optimizer; ValueError where `make` gives none, or gives one without weight decay."""
        made = self.make
        if not isinstance(made, optax.GradientTransformation):
            options = {"weight_decay": self.weight_decay} if self.weight_decay else {}
            name = getattr(made, "__name__", shown(made))
            try:
                made = made(rate, **options)
            except TypeError as error:
                if options and "weight_decay" in str(error):
                    message = f"{name} has no weight decay: choose {' or '.join(DECAYED)}, or leave weight_decay at 0"
                    raise ValueError(message) from error
                raise ValueError(f"optimizer {name} is no function of the learning rate: {error}") from error
            if not isinstance(made, optax.GradientTransformation):
                raise ValueError(f"optimizer {name} gives {shown(made)}: it has to give an optax optimizer")
        return optax.GradientTransformation(_promoting(made.init), _promoting(made.update))


def _promoting(function: Callable) -> Callable:
    """Wraps an optimizer's `init` or `update`: Adam takes a float to the power of an int, which a user may forbid.

    Raises ValueError for an `update` that needs more than the gradient, as the line search of `optax.lbfgs` does.
    """

    def wrapped(*args: Any) -> Any:
        try:
            with jax.numpy_dtype_promotion("standard"):
                return function(*args)
        except TypeError as error:
            message = f"optimizer cannot step by the gradient alone: choose another, such as optax.adam ({error})"
            raise ValueError(message) from error

    return wrapped


@dataclass(frozen=True)
class Recipe:
    """All options of training.

    Args:
      steps: number of gradient steps.
      batch_size: number of examples, contexts or rows of whole words in a batch. None is the full batch.
      draw: unit of a batch: examples, contexts or words. "examples" are drawn as in the lecture; "contexts" are
        distinct contexts, each with the counts of all that followed it: the same loss, a gradient of less variance;
        "words" are whole words, the only draw of models that see the whole word. None is "examples", or "words" where
        that is the only one.
      optimizer: name of the optimizer: sgd, adam, adamw or muon. In Python a function of the learning rate, such as
        optax.adam, or an optax optimizer, such as optax.adam(0.01). A lambda written anew compiles anew.
      learning_rate: peak learning rate. 0.1 for the default, the lecture's SGD; None for an optax optimizer, which
        holds its own. Another rate, number of steps or decay does not compile anew.
      decay: schedule of the learning rate: constant, cosine, linear or tenth. In Python a function of t / steps,
        float64 [steps], that gives the factor of each step's rate.
      weight_decay: decoupled weight decay; only adamw and muon have it.
      l2: weight of the penalty mean(W^2) of each weight matrix W, as in the lecture.
      drop_tokens: dropout rate of input characters.
      drop_states: dropout rate of hidden states.
      drop_edges: dropout rate of attention edges.
      teach: weight of a teacher's distribution in the targets, 0 to 1. The rest is what followed each prefix; the
        teacher is the one given to `fit`, or else a Kneser-Ney model of the same words.

    Raises ValueError for numbers out of range, for a rate without an optimizer to take it, for a function that makes
    no optimizer, and for a weight decay that the optimizer does not have.

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
        for name in ("l2", "weight_decay"):
            if not 0 <= number(name, getattr(self, name), wanted := "0 or more") < math.inf:
                raise ValueError(f"{name} is {getattr(self, name)}: give {wanted}")
        for name in _DROPS.values():
            if not 0 <= number(name, getattr(self, name), wanted := "a share of 0 or more, below 1") < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: give {wanted}")
        if not 0 <= number("teach", self.teach, wanted := "a share from 0 to 1") <= 1:
            raise ValueError(f"teach is {self.teach}: give {wanted}")
        if not callable(self.decay):
            raise ValueError(f"decay is {shown(self.decay)}: give a function of t / steps, such as recipes.cosine")
        self._check_optimizer()

    def _check_optimizer(self) -> None:
        """Raises ValueError where optimizer, learning_rate and weight_decay do not go together."""
        ready = isinstance(self.optimizer, optax.GradientTransformation)
        if (not ready and not callable(self.optimizer)) or ready == (self.learning_rate is not None):
            raise ValueError(
                "give an optax optimizer (optimizer=optax.adam(0.01)), or with learning_rate a function of it "
                "(optimizer=optax.adam, learning_rate=0.01)"
            )
        if ready and self.weight_decay:
            raise ValueError(f"weight_decay is {self.weight_decay}: an optax optimizer holds its own, leave it at 0")
        if callable(self.learning_rate):
            raise ValueError(
                "learning_rate is a function: give a number, and as decay what multiplies it; or give an optax "
                "optimizer that holds a schedule (optimizer=optax.adam(schedule))"
            )
        if self.learning_rate is not None:
            positive_number("learning_rate", self.learning_rate)
        self.transformation(self.learning_rate)

    def but(self, **changes: Any) -> "Recipe":
        """Returns the recipe with other values, None included."""
        return dataclasses.replace(self, **changes)

    def rates(self) -> np.ndarray | None:
        """Returns the learning rate of every step, float32 [steps]; None where the optimizer holds its own.

        Computed once, on the host: the compiled program takes rates as data, and no schedule is part of it. Raises
        ValueError for a decay that does not give a finite number for each step.
        """
        if self.learning_rate is None:
            return None
        factors = np.asarray(self.decay(np.arange(self.steps) / self.steps))
        if factors.shape != (self.steps,) or factors.dtype.kind not in "fiu" or not np.isfinite(factors).all():
            raise ValueError(
                f"decay gives {shown(factors)} of shape {factors.shape} for an array [{self.steps}]: it has to give a "
                "finite number for each step, such as lambda t: 1 - t"
            )
        return (float(self.learning_rate) * factors).astype(np.float32)

    @property
    def drops(self) -> tuple[str, ...]:
        """The kinds of dropout whose rate is not 0."""
        return tuple(kind for kind, name in _DROPS.items() if getattr(self, name))

    @property
    def dropout(self) -> Dropout | None:
        """A Dropout with the rates and without a key, which each row of a batch adds; None where nothing is dropped."""
        rates = {kind: getattr(self, name) for kind, name in _DROPS.items()}
        return Dropout(key=None, **rates) if self.drops else None  # pyright: ignore[reportArgumentType]

    @property
    def transformation(self) -> Transformation:
        """Makes the optimizer for a rate; equal for recipes that differ in other numbers alone."""
        return Transformation(self.optimizer, self.weight_decay)

    def as_json(self) -> dict[str, Any]:
        """Returns the recipe as JSON values; ValueError for functions that have no name in this module."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        for field, known in _NAMED.items():
            name = next((name for name, function in known.items() if function is values[field]), None)
            if name is None:
                raise ValueError(f"{field} cannot be written to a file: choose one of {', '.join(known)}")
            values[field] = name
        return values

    @staticmethod
    def named(values: Mapping[str, Any]) -> dict[str, Any]:
        """Replaces names such as "adam" or "cosine" by their functions; ValueError for an unknown name."""
        options = dict(values)
        for field, known in _NAMED.items():
            if isinstance(name := options.get(field), str):
                if name not in known:
                    raise ValueError(f"{field} is {name!r}: choose one of {', '.join(known)}")
                options[field] = known[name]
        return options

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "Recipe":
        """Makes a recipe of what `as_json` wrote, or of an entry of `RECIPES`; ValueError for anything else."""
        if unknown := set(values) - {field.name for field in dataclasses.fields(cls)}:
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


def options_for(
    model: Model, options: Mapping[str, Any], words: Sequence[str], units: str = CHARACTERS
) -> dict[str, Any]:
    """Returns options of a model's `init`; one that limits the length of words lets the longest of `words` through.

    >>> import mm_jax
    >>> options_for(mm_jax.transformer.MODEL, {"width": 8}, ["a" * 40])
    {'max_length': 40, 'width': 8}
    """
    assert model.init is not None  # or it has no options of `init`
    limit = inspect.signature(model.init).parameters.get("max_length")
    if limit is None:
        return dict(options)
    return {"max_length": max(limit.default, sizes_of(words, units).longest), **options}


def for_size(recipe: Recipe, characters: int, vocab: Vocab, longer: bool = True) -> Recipe:
    """Scales a recipe tuned on names.txt to another list: steps in proportion, a lower rate for short lists.

    Args:
      recipe: made for names.txt.
      characters: of the list, or its symbols, ends included.
      vocab: its symbols.
      longer: whether a longer list takes more steps.
    """
    share = characters / _CHARACTERS
    # A short list is overfitted before a large step is taken.
    rate = (recipe.learning_rate or 0.0) * float(np.clip(np.sqrt(characters / 50_000), 0.05, 1.0))
    least, most = min(300, recipe.steps), max(6000, recipe.steps) if longer else recipe.steps
    recipe = recipe.but(steps=int(np.clip(recipe.steps * share, least, most)), learning_rate=float(f"{rate:.2g}"))
    if characters * len(vocab) > LONG and recipe.draw == "contexts":
        recipe = recipe.but(draw="examples")
    if len(vocab) > LARGE:  # a teacher's row of all symbols at each position takes longer than the rest of the step
        recipe = recipe.but(teach=0.0)
    few = max(32, _LOGITS // len(vocab))
    if recipe.draw != "words" and (recipe.batch_size or 0) > few:  # the gradient of fewer is noisier: a lower rate
        rate *= np.sqrt(few / (recipe.batch_size or few))
        recipe = recipe.but(batch_size=few, learning_rate=float(f"{rate:.2g}"))
    return recipe
