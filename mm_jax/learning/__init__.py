"""Chooses a model for a list, and its options.

options      the options of models and recipes, read from their signatures
plans        the options that the user did not give, by the size of the list
costs        how many CPU seconds a plan takes
trainer      trains one plan: the best parameters on dev, early stopping
candidates   `learn`: trains the candidates of an effort, keeps the best
"""
