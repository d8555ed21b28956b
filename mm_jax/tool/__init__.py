"""The command `mm-jax`: from a list of words to new ones, without writing Python."""
