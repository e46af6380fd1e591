"""Training batches made on the GPU: frames stay there as bytes, windows are drawn from them."""
