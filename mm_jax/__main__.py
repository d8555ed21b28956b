"""`python -m mm_jax` is the command `mm-jax`."""

from mm_jax.cli import main

main()
