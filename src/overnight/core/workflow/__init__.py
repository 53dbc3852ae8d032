"""Workflows: recipes of steps, what they mean, and what becomes of their tasks. Pure, like all of `core`."""
