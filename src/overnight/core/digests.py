"""Digests: a few bytes by which the same content is found again.

What makes them is loaded when the first one is wanted: OpenSSL comes along with it, and whoever only looks at
tasks, which is most of what people do, pays for it and hashes nothing.
"""

from __future__ import annotations


def digest(content: bytes, size_bytes: int, *, key: bytes = b"") -> bytes:
    """So many bytes over a content: equal for equal ones, and for no others.

    Args:
        content: Anything.
        size_bytes: 1 to 64. The same content has other bytes for each size, and not fewer of the same.
        key: Up to 64 bytes; with another one all digests are others.

    Source: BLAKE2b, RFC 7693.
    """
    import hashlib

    return hashlib.blake2b(content, digest_size=size_bytes, key=key).digest()
