"""Parts of a project that do nothing: found by reading, tried where they can do no harm, woken one at a time.

Nothing of the user's is imported in this process, and nothing of it at all to make a list.
"""
