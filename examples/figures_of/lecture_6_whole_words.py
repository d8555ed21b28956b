"""The figures of lecture_6_whole_words, in its order: no lecture prints them."""

FIGURES = []
