"""The doors: how people reach us."""
