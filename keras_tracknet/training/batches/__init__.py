"""From labelled clips to batches: windows, heatmaps, augmentation, pipeline."""
