"""The models, one a file. Start with `contract`, which says what a model is; then counts, bigram, mlp.

    Counts       log(N + smoothing)[previous]                          counts.fit(words, vocab, smoothing=1.0)
    Bigram       W[previous]                                           bigram.init(key, vocab)
    MLP          tanh(C[context] @ W1 + b1) @ W2 + b2                  mlp.init(key, vocab, block_size=3)
    NGram        interpolated modified Kneser-Ney, any order           ngram.fit(words, vocab, order=6)
    BagOfWords   mean of the embeddings so far, the last, a layer      bow.init(key, vocab)
    RNN          h = tanh(C[token] + h @ W1 + b1)                      rnn.init(key, vocab)
    GRU          gates as Cho et al. (2014)                            gru.init(key, vocab)
    Transformer  GPT-2's blocks, with a cache of keys and values       transformer.init(key, vocab)
    Mixture      sum of weight * p over models                         mm_jax.mixture.fit(models, dev)
    Fresh        a model corrected for a list that repeats little      fresh.wrap(params, words)
    Network      a function of your own                                network.wrap(apply, variables, vocab)

The first four are windowed: they see the last `block_size` tokens. The others see the whole word so far. All verbs
(`fit`, `sample`, `score`, `evaluate`, `most_probable`, `save`, ...) take any of them. `Counts` and a trained `Bigram`
are the same model, fitted in two ways: tests/test_equivalence.py proves it.
"""

import pkgutil as _pkgutil

import lazy_loader as _lazy

# No list of models: whatever file is here is found. Each is imported when it is first used.
__getattr__, __dir__, __all__ = _lazy.attach(__name__, [each.name for each in _pkgutil.iter_modules(__path__)])
