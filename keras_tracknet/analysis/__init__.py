"""From a track to the play: events, rallies, flights, the court and the report."""
