"""What the network is shown: sizes, background, stacking, stabilization and windows."""
