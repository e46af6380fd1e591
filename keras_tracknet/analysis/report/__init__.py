"""The report: one page with charts and stills."""
