"""The command `mm-jax`: makes new words from a list of words, without Python."""
