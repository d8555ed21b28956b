// mm_jax/models/wavenet.py: x = C[context];  in each layer x = tanh(x, two rows end to end, @ W + b);
// logits = x @ Wu + bu
model("WaveNet", {
  blockSize: ({ layers }) => 2 ** layers.length,
  logits({ C, layers, Wu, bu }, context) {
    let x = context.map((token) => Array.from(rowOf(C, token)));
    for (const { W, b } of layers) {
      const pairs = Array.from({ length: x.length / 2 }, (_, i) => [...x[2 * i], ...x[2 * i + 1]]);
      x = pairs.map((pair) => affine(pair, W, b).map(Math.tanh));
    }
    return affine(x[0], Wu, bu);
  },
});
