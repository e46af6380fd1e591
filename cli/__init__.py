"""The `tracknet` command: one module a sub-command, each a thin layer over `keras_tracknet`."""
