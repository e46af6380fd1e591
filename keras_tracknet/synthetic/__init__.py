"""Rendered rallies with exact ground truth, from a seed: footage without a camera."""

from keras_tracknet.synthetic.clips import name_rallies, render_rallies, write_rallies, write_rally
from keras_tracknet.synthetic.config import RallyConfig
from keras_tracknet.synthetic.rally import Rally, simulate_rally

__all__ = [
    "Rally",
    "RallyConfig",
    "name_rallies",
    "render_rallies",
    "simulate_rally",
    "write_rallies",
    "write_rally",
]
