// mm_jax/models/bigram.py: logits = W[previous]
model("Bigram", {
  blockSize: () => 1,
  logits: ({ W }, [previous]) => rowOf(W, previous),
});
