"""Tracks: one row for every frame, in files, tables and pictures."""
