"""Migrations of users' databases: what is applied and what waits, rehearsed, applied, undone."""
