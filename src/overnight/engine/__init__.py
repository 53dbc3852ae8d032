"""The work of the night: one loop that asks `core` what to do, writes it down in one transaction, and then does it."""
