"""Label formats: how labels are written in a file, one module per format."""
