"""Films of the play: the video with what was found drawn in, whole or its highlights."""
