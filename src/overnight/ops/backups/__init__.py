"""Backups: what a home and its project were at some time, kept so that it can be had again elsewhere.

Files are cut into pieces that are called by their hashes, so what has not changed is stored once;
a manifest, written last, says which pieces make which file. `pieces` keeps the pieces, `place` the
folders, `sources` knows what is taken, `making` makes a backup, `proving` tries it and `restoring`
gives back what is in it.
"""
