"""Trained networks on disk: ours and, in `checkpoints`, those of others."""
