"""Training: what a step reads (`batches`), how to train (`recipes`), the steps (`loop`), and many runs (`population`)."""
