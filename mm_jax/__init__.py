"""mm_jax makes more of whatever list it is given: character-level language models in functional JAX.

Parameters come first, data and key next, options after that. The modules, from the ground up; each is
`mm_jax.NAME`, and `help(mm_jax.NAME)` says more:

    symbols        texts cut into characters, graphemes, or words between blanks
    streams        long lists: words that lie in a file, and are read where they lie
    vocab          symbols <-> token ids
    checks         checks of arguments: whole numbers, keys, lists of words
    files          atomic writes
    output         results to stdout, messages to stderr
    startup        the settings that words hang on; compilation cache, shorter start and exit
    pytrees        the class decorator of parameters
    fields         rows of fields: columns, JSON, hunspell's dictionaries, one line
    shapes         what a file with a list looks like, and how its words are taken
    words          word lists: find, read, split
    sources        text or Parquet files of any length, read into one file
    corpus         the token stream, contexts, rows of whole words, the prefix trie
    layers         what several models share: packing, dropout, products, the recurrence, initial weights
    ngrams         counting, smoothing, the choice of an order, ARPA files
    models         one file a model; start with contract, which says what a model is
    evaluation     nll of a list, with standard errors
    scoring        one word, symbol by symbol
    drawing        the engine of sampling: batches of words, drawn by compiled loops
    sampling       new words
    conditions     more of a list: words that meet conditions
    enumeration    the likeliest words
    ranking        how many words are likelier than one
    structure      what a model is made of, as JSON
    checkpoint     save, load
    training       batches, recipes, the loop (step, chunk, run, fit), populations, rates, students, devices
    prior          a network that has read other lists, adapted to a new one
    learning       the choice of a model and of its options for a list
    terminal       progress bars and tables
    ladder         every model on one list
    plotting       pictures
    page           one HTML file for the browser: engine, models and interface in JavaScript
    tool           the command mm-jax: arguments, commands, run folders
"""

import lazy_loader as _lazy

# The names are listed in __init__.pyi; a module is imported when a name of it is first used.
__getattr__, __dir__, __all__ = _lazy.attach_stub(__name__, __file__)
__version__ = "0.4.0"
