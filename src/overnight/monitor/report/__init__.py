"""The report: what was, since when, and what to do about it."""
