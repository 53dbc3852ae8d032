"""Verified copies of a store file: how they are made, told apart, trusted and thrown away.

A checkpoint is a folder with the copy, a summary for people and a manifest, which is written last:
what has no manifest, or one that does not fit, is no checkpoint. `shelf` keeps the folders, `making`
makes one, and `copier` is the short-lived process that does so beside an engine.
"""
