"""`python -m mm_jax` is the command `mm-jax`."""

from mm_jax.tool.arguments import main

main()
