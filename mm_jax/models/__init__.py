"""The models, one a file. Start with `contract`, which says what a model is; then counts, bigram, mlp, in that order."""
