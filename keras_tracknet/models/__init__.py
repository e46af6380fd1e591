"""The TrackNet family as functional Keras models."""
