"""The words and the rules. Pure: no clock, no dice, no file, no process; the present is an argument, a decision is
the value that comes back. Whatever can be wrong without touching the world is decided, and tested, here.
"""
