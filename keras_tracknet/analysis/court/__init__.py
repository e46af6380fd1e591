"""The court: marked, calibrated and drawn."""
