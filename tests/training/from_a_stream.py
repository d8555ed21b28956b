"""Run by the tests in processes of their own: trains a GRU from the stream of a file, and keeps its state as it goes.

python tests/training/from_a_stream.py WORDS STATE [PROCESS PORT]
"""

import sys
from pathlib import Path

import jax
import numpy as np

import mm_jax
from mm_jax import checkpoint
from mm_jax.streams import WordFile
from mm_jax.training import loop, recipes

RECIPE = mm_jax.Recipe(
    steps=120, batch_size=42, draw="words", optimizer=recipes.adamw, learning_rate=0.01, decay=recipes.linear,
    weight_decay=0.1, drop_tokens=0.1, teach=0.5,
)  # fmt: skip


def main() -> None:
    words, path = WordFile(sys.argv[1]), Path(sys.argv[2])
    mesh = None
    if len(sys.argv) > 3:
        jax.distributed.initialize(f"127.0.0.1:{sys.argv[4]}", num_processes=2, process_id=int(sys.argv[3]))
    if len(jax.devices()) > 1:
        mesh = jax.make_mesh((len(jax.devices()),), ("batch",))
    params = mm_jax.gru.init(jax.random.key(0), mm_jax.Vocab.from_words(words), hidden_dim=16)
    state, losses = loop.first_state(params, jax.random.key(1), RECIPE), np.zeros(0, np.float32)
    if path.exists():
        arrays = checkpoint.read_arrays(path, "state")[0]
        losses, _ = arrays.pop("losses"), arrays.pop("devices")
        state = checkpoint.tree_from_arrays(state, arrays)
    for progress in loop.run(state, words, RECIPE, interval=3, mesh=mesh):
        if not progress.loss.size:
            continue
        losses = np.concatenate([losses, progress.loss])
        arrays = {
            **checkpoint.tree_to_arrays(progress.state),
            "losses": losses,
            "devices": np.array(len(jax.devices())),
        }
        checkpoint.write_arrays(path, arrays, {"kind": "state"})


if __name__ == "__main__":
    main()
