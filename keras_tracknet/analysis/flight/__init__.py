"""Flights of the ball between two strokes or bounces, fitted to a track."""
