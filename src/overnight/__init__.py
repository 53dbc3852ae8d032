"""Overnight: leave it running."""
