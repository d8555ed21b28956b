"""Run by test_sharding.py in processes of their own: the number of devices is fixed when JAX starts.

python tests/training/multi_device.py WORDS OUT [PROCESS PORT]
"""

import sys

import jax
import numpy as np
import optax

import mm_jax


def main() -> None:
    words, out = mm_jax.load_words(sys.argv[1]), sys.argv[2]
    if len(sys.argv) > 3:
        jax.distributed.initialize(f"127.0.0.1:{sys.argv[4]}", num_processes=2, process_id=int(sys.argv[3]))
    mesh = jax.make_mesh((len(jax.devices()),), ("batch",))
    vocab = mm_jax.Vocab.from_words(words)
    results = {"devices": len(jax.devices())}
    for batch_size in (32, None):
        params = mm_jax.mlp.init(jax.random.key(0), vocab, hidden_dim=16)
        params, history = mm_jax.fit(
            params,
            words,
            jax.random.key(1),
            steps=20,
            batch_size=batch_size,
            optimizer=optax.adam(0.01),
            dev=words,
            mesh=mesh,
        )
        results |= {f"loss_{batch_size}": history.loss, f"dev_{batch_size}": history.dev[-1][1]}
        results |= {f"W1_{batch_size}": np.asarray(params.W1)}
    np.savez(out, **results)


if __name__ == "__main__":
    main()
