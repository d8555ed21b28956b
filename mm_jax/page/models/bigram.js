// mm_jax/models/bigram.py: logits = W[previous]
model("Bigram", {
  blockSize: () => 1,
  logits: ({ W }, [previous]) => W.slice(previous * W.shape[1], (previous + 1) * W.shape[1]),
});
