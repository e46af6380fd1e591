"""Rendered badminton rallies with exact ground truth, from a seed: footage without a camera."""

from keras_tracknet.synthetic.clips import write_rallies, write_rally
from keras_tracknet.synthetic.rally import Rally, RallyConfig, simulate_rally

__all__ = ["Rally", "RallyConfig", "simulate_rally", "write_rallies", "write_rally"]
