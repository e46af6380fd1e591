"""From labelled clips to batches: frames, windows, heatmaps, augmentation, pipeline."""
