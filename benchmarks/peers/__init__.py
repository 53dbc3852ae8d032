"""Overnight's peers, one file each, all driven through the same small contract (`contract`)."""
