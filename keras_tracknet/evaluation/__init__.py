"""Measuring trackers, classifiers, exported files and machines."""
