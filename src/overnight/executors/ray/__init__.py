"""Ray as a way to nodes: it knows who is there, keeps an agent on each, and carries words. It never owns an attempt.

Ray is imported by the process of the bridge and by its actors alone. The engine knows neither: a driver that Ray ends,
or that hangs with it, takes no engine along.
"""

from __future__ import annotations
