"""Reading and writing videos, tracks and labelled datasets; never imports Keras."""
