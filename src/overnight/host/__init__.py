"""This machine: its clock, files, lock, signals and processes. The only room that knows how a kernel wants it."""
