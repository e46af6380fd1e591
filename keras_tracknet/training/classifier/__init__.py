"""Experimental: training and evaluating a classifier of clips, TSM."""
