"""Layouts: the ways labelled clips lie in folders, one module per way."""
