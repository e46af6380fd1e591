"""Labelled clips: their labels, formats and layouts, checked, split and converted."""
