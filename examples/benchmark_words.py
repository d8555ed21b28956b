"""How fast whole-word models are, beside PyTorch's own modules in a loop as one writes it today.

    python examples/benchmark_words.py           # about three minutes: CPU seconds to dev 2.014, step, sampling
    python examples/benchmark_words.py --quick   # a minute: few steps, nothing is judged

PyTorch's side is nn.GRU, and nn.TransformerEncoder with 4 layers of 64: batches of 32 padded words, AdamW. Ours has the
recipe of RACES. Both sides run in processes of their own, in turn, each on one core: a library that waits for its
threads spends CPU seconds on it. Times are CPU seconds of training, compilation and dev losses apart; 2.014 is where
makemore's own transformer stands after 240 s.
"""

import argparse
import importlib.util
import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence

TARGET = 2.014
LIMIT = 400.0  # CPU seconds that PyTorch's side gets
LONG = 57  # characters: the longest of the molecules of MOSES
# What reaches TARGET soonest, of nine recipes tried for the GRU and three for the transformer: the recipe, what is
# changed in it, and options of the model.
RACES = {
    "gru": ("short", {"steps": 600}, {"hidden_dim": 128}),
    "transformer": ("tuned", {"steps": 400, "learning_rate": 0.02, "drop_edges": 0.0, "weight_decay": 0.0}, {}),
}


def torch_side(kind: str, quick: bool) -> dict:
    """CPU seconds until dev is at most TARGET: inf where LIMIT is too short; and the best dev loss by then."""
    import torch
    import torch.nn.functional as F
    from torch import nn

    import mm_jax

    torch.manual_seed(0)
    split = mm_jax.split_words(mm_jax.load_words())
    stoi = {char: i for i, char in enumerate(".abcdefghijklmnopqrstuvwxyz")}

    def pad(words: Sequence[str]) -> tuple[torch.Tensor, torch.Tensor]:
        X = torch.zeros(len(words), 16, dtype=torch.long)
        Y = torch.full((len(words), 16), -1)
        for i, word in enumerate(words):
            ids = torch.tensor([stoi[char] for char in word])
            X[i, 1 : len(ids) + 1] = ids
            Y[i, : len(ids)] = ids
            Y[i, len(ids)] = 0
        return X, Y

    class Gated(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.rnn, self.out = nn.Embedding(27, 64), nn.GRU(64, 256, batch_first=True), nn.Linear(256, 27)

        def forward(self, X: torch.Tensor) -> torch.Tensor:
            return self.out(self.rnn(self.embed(X))[0])

    class Attending(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.embed, self.place, self.out = nn.Embedding(27, 64), nn.Embedding(16, 64), nn.Linear(64, 27)
            layer = nn.TransformerEncoderLayer(
                64, 4, 256, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
            )
            self.body = nn.TransformerEncoder(layer, 4, norm=nn.LayerNorm(64), enable_nested_tensor=False)
            self.mask = nn.Transformer.generate_square_subsequent_mask(16)

        def forward(self, X: torch.Tensor) -> torch.Tensor:
            return self.out(self.body(self.embed(X) + self.place(torch.arange(16)), mask=self.mask, is_causal=True))

    def loss_of(X: torch.Tensor, Y: torch.Tensor) -> torch.Tensor:
        return F.cross_entropy(model(X).reshape(-1, 27), Y.reshape(-1), ignore_index=-1)

    model = Gated() if kind == "gru" else Attending()
    optimizer = torch.optim.AdamW(model.parameters(), lr=2e-3 if kind == "gru" else 1e-3, weight_decay=0.01)
    (Xtr, Ytr), (Xdev, Ydev) = pad(split.train), pad(split.dev)
    best, spent, steps = float("inf"), 0.0, 0
    while best > TARGET and spent < LIMIT and not (quick and steps):
        begin = time.process_time()
        for _ in range(20 if quick else 200):
            ix = torch.randint(0, len(Xtr), (32,))
            loss = loss_of(Xtr[ix], Ytr[ix])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            steps += 1
        spent += time.process_time() - begin
        model.eval()
        with torch.no_grad():
            best = min(best, loss_of(Xdev, Ydev).item())
        model.train()
    return {"seconds": spent if best <= TARGET else float("inf"), "dev": best, "steps": steps, "spent": spent}


def mm_jax_side(kind: str, quick: bool) -> dict:
    """The same with mm_jax; and a step's share of the float32 rate of a large matrix product on this machine."""
    import jax

    import mm_jax
    from mm_jax import models
    from mm_jax.models.prediction import TokenNLL
    from mm_jax.training import loop
    from mm_jax.training.recipes import recipes_of

    split = mm_jax.split_words(mm_jax.load_words())
    vocab = mm_jax.Vocab.from_words(split.train)
    module = getattr(models, kind)
    name, changes, options = RACES[kind]
    recipe = recipes_of(module.MODEL)[name].but(**changes | ({"steps": 20} if quick else {}))
    params = module.init(jax.random.key(0), vocab, **options)
    dev_loss = TokenNLL(split.dev, params)

    interval = 10 if quick else 50  # steps

    def run(params, recipe):
        """A run that has made no step yet."""
        state = loop.first_state(params, jax.random.key(1), recipe)
        progress = loop.run(state, split.train, recipe, interval=interval)
        next(progress)
        return progress

    next(run(params, recipe))  # compiles, and makes the kernels that are made at their first run
    seconds, spent, dev, steps = float("inf"), 0.0, [], run(params, recipe)
    while True:
        begin = time.process_time()
        progress = next(steps, None)
        if progress is None:
            break
        spent += time.process_time() - begin
        params = jax.device_get(progress.state.params)
        dev.append(dev_loss.mean(params))
        if dev[-1] <= TARGET:
            seconds = min(seconds, spent)
    found = {"seconds": seconds, "dev": min(dev)}

    recipe = recipes_of(module.MODEL)["tuned"].but(steps=10_000)
    tuned = module.init(jax.random.key(0), vocab)
    steps = run(tuned, recipe)
    next(steps)
    times = []
    for _ in range(2 if quick else 8):
        begin = time.process_time()
        next(steps)
        times.append((time.process_time() - begin) / interval)
    found["step"] = sorted(times)[len(times) // 2]
    positions = (recipe.batch_size or 1) * (max(map(len, split.train)) + 1)
    found["share"] = FLOPS[kind](tuned) * positions / found["step"] / float32_rate()
    if kind == "transformer":
        n = 100 if quick else 1000
        found["sampling"] = reread(params, n) / sampled(params, 4 * n)  # of a trained one: untrained, few end
        found["sampling_long"] = long_words(28 if quick else 8, 8 if quick else 128)
    return found


def long_words(every: int, n: int) -> float:
    """As `sampling`, of words of LONG characters: the model is untrained, and its words never end before.

    Re-reading is timed where a length is a multiple of `every`, and interpolated: compiling each length takes minutes.
    """
    import dataclasses

    import jax
    import numpy as np

    import mm_jax

    vocab = mm_jax.Vocab(".abcdefghijklmnopqrstuvwxyz")
    params = mm_jax.transformer.init(jax.random.key(0), vocab, max_length=LONG)
    params = dataclasses.replace(params, bu=params.bu.at[0].set(-99.0))
    following, tokens = reading_again(params), jax.random.randint(jax.random.key(1), (n, LONG), 1, 27)
    lengths, seconds = range(0, LONG, every), []
    for length in lengths:
        following(jax.random.key(0), length, tokens).block_until_ready()
        begin = time.process_time()
        for i in range(3):
            following(jax.random.key(i), length, tokens).block_until_ready()
        seconds.append((time.process_time() - begin) / 3 / n)
    return np.interp(range(LONG), lengths, seconds).sum() / sampled(params, 4 * n)


def float32_rate() -> float:
    """Floating-point operations a CPU second of a large matrix product."""
    import jax
    import jax.numpy as jnp

    big = jnp.ones((1024, 1024), jnp.float32)
    product = jax.jit(lambda a, b: a @ b)
    product(big, big).block_until_ready()
    rates = []
    for _ in range(5):
        begin = time.process_time()
        for _ in range(10):
            product(big, big).block_until_ready()
        rates.append(10 * 2 * 1024**3 / (time.process_time() - begin))
    return sorted(rates)[2]


def gru_flops(params) -> float:
    """Floating-point operations of the matrix products of a step, a position: forward, and twice that backward."""
    return 6 * (params.W1.size + params.W2.size)


def transformer_flops(params) -> float:
    """As `gru_flops`; attention's own products, over the 16 positions of a row, included, and Muon's left out."""
    matrices = sum(each.size for block in params.blocks for each in (block.Wqkv, block.Wo, block.W1, block.W2))
    return 6 * (matrices + params.Wu.size + len(params.blocks) * 2 * 16 * params.C.shape[-1])


FLOPS = {"gru": gru_flops, "transformer": transformer_flops}


def sampled(params, n: int) -> float:
    """CPU seconds a word of `mm_jax.sample`, which keeps the state."""
    import jax

    import mm_jax

    mm_jax.sample(params, jax.random.key(0), n)
    begin = time.process_time()
    mm_jax.sample(params, jax.random.key(1), n)
    return (time.process_time() - begin) / n


def reading_again(params):
    """A compiled function that draws the next characters of many words, and reads the whole of each for that."""
    import functools

    import jax
    import jax.numpy as jnp

    from mm_jax.models import contract

    @functools.partial(jax.jit, static_argnums=1)
    def following(key, length, tokens):
        rows = contract.unroll_rows(params, tokens[:, :length])
        return jax.random.categorical(key, rows[:, -1]).astype(jnp.int32)

    return following


def reread(params, n: int) -> float:
    """CPU seconds a word where the whole prefix is read again for each character, in batches, compiled."""
    import jax
    import jax.numpy as jnp

    longest, following = 20, reading_again(params)

    def draw(key):
        tokens = jnp.zeros((n, longest), jnp.int32)
        alive = jnp.ones(n, bool)
        for t in range(longest):
            token = jnp.where(alive, following(jax.random.fold_in(key, t), t, tokens), 0)
            tokens, alive = tokens.at[:, t].set(token), alive & (token != 0)
            if not alive.any():
                break
        return tokens.block_until_ready()

    draw(jax.random.key(0))
    begin = time.process_time()
    draw(jax.random.key(1))
    return (time.process_time() - begin) / n


def in_a_process(*args: str) -> dict:
    done = subprocess.run([sys.executable, __file__, *args], check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def main(quick: bool) -> int:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    flags = ["--quick"] if quick else []
    with_torch = importlib.util.find_spec("torch") is not None
    table = Table("whole words", "PyTorch", "mm_jax", "ratio", "must reach", title_justify="left")
    missed = []

    def judge(what: str, value: float, least: float) -> str:
        if not quick and not value >= least:
            missed.append(what)
        return f"{value:.3g}"

    for kind in ("gru", "transformer"):
        ours = in_a_process("--side", "mm_jax", "--kind", kind, *flags)
        name = {"gru": "GRU", "transformer": "transformer"}[kind]
        what = f"{name}: CPU s to dev {TARGET}"
        if with_torch:
            theirs = in_a_process("--side", "torch", "--kind", kind, *flags)
            reached = theirs["seconds"] < float("inf")
            seconds = theirs["seconds"] if reached else theirs["spent"]
            shown = f"{seconds:.0f}" if reached else f"{seconds:.0f} (at {theirs['dev']:.3f})"
            ratio = judge(what, seconds / ours["seconds"], 10)
            table.add_row(what, shown, f"{ours['seconds']:.1f}", f"{'' if reached else 'over '}{ratio}x", "10x")
        else:
            table.add_row(what, "", f"{ours['seconds']:.1f}", "", "10x")
        least = {"gru": 0.6, "transformer": 0.5}[kind]
        what = f"{name}: share of the float32 rate, a step"
        table.add_row(what, "", f"{1e3 * ours['step']:.0f} ms", judge(what, ours["share"], least), f"{least}")
        for name, of_length in (("sampling", ""), ("sampling_long", f", words of {LONG} characters")):
            if name in ours:
                what = f"transformer: sampling with its cache{of_length}"
                table.add_row(what, "", "", judge(what, ours[name], 8) + "x of re-reading", "8x")
    console.print(table)
    if not quick:
        console.print("not reached: " + ", ".join(missed) if missed else "every figure that must be reached is reached")
    return int(bool(missed))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="Whole-word models: PyTorch's modules against mm_jax, on names.txt.")
    parser.add_argument("--quick", action="store_true", help="few steps; nothing is judged")
    parser.add_argument("--side", choices=("torch", "mm_jax"), help=argparse.SUPPRESS)
    parser.add_argument("--kind", choices=("gru", "transformer"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        if hasattr(os, "sched_setaffinity"):  # Linux
            os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
        print(json.dumps((torch_side if options.side == "torch" else mm_jax_side)(options.kind, options.quick)))
    else:
        from mm_jax import words as lists

        if not lists.is_names(lists.find_words()):
            sys.exit("error: the benchmark compares figures of names.txt: put it into data/ first")
        sys.exit(main(options.quick))
