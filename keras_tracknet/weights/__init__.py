"""Bundled weights; see `keras_tracknet.presets`."""
