"""From a video to a track: the tracker, its stages, outputs and engines."""
