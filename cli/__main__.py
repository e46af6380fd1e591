"""`python -m keras_tracknet_cli` does what `tracknet` does."""

from .main import cli

cli(prog_name="tracknet")
