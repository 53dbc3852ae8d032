"""What the logs say: errors of tasks by their cause, and lines of logs by what they have in common.

`following` reads what is new in files that are written and rotated meanwhile, `outputs` does so in what
tasks print, `keeping` remembers in ``logs.db`` how far that was and what was found, `scanning` puts them
together, `asking` says what is new and what is rising, and `searching` looks for words.
"""
