"""Studio: look at tracks, correct them, label videos and teach a network, in a browser."""
