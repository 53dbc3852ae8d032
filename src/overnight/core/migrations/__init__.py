"""Migrations of users' databases: what their files say, which of them are applied, and what is wrong with them."""
