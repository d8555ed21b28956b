"""Trains the MLP of makemore part 2 on a list of names, and prints new ones.

python examples/train_mlp.py                        # about as good as 11,897 parameters get, in seconds
python examples/train_mlp.py --recipe lecture       # the lecture's 200,000 steps of SGD
python examples/train_mlp.py --data my_list.txt     # a list of your own, one word a line
"""

from functools import partial

from train import main, parser, run

import mm_jax

LECTURE = {"train": "2.12", "dev": "2.17"}

if __name__ == "__main__":
    arguments = parser(
        "Trains an MLP on a list of words, character by character, and prints new ones.", mm_jax.mlp.MODEL
    )
    arguments.add_argument("--block-size", type=int, default=3, help="characters of context (default: %(default)s)")
    arguments.add_argument("--embedding-dim", type=int, default=10, help="default: %(default)s")
    arguments.add_argument("--hidden-dim", type=int, default=200, help="default: %(default)s")
    args = arguments.parse_args()
    sizes = {"block_size": args.block_size, "embedding_dim": args.embedding_dim, "hidden_dim": args.hidden_dim}
    run(partial(main, args, mm_jax.mlp.MODEL, options=sizes, lecture=LECTURE))
