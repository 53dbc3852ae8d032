"""What suites of tests came to: every run, and every attempt of every test in it.

`recording` runs a command and lets a small plug-in of pytest (`plugin`) write down each attempt as it ends, into a
file of its own (`records`), so that whatever is killed has said what it had seen. `junit` reads what other
runners write. `gathering` takes finished and orphaned files into ``tests.db`` (`keeping`), `asking` says what all
of it means, and `code` tells whether two runs had the same code before them.
"""
