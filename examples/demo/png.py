"""Just enough PNG for the demo: 8 bits a channel, grey, RGB or RGBA, not interlaced.

Source: PNG (Portable Network Graphics) Specification, Third Edition, W3C. Pure Python and slow on
purpose of reading; a real job would call a real image library.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

SIGNATURE = b"\x89PNG\r\n\x1a\n"
#: Bytes a pixel -> colour type of the header, and back from depth, colour type and interlacing.
COLOUR_TYPES = {1: 0, 3: 2, 4: 6}
CHANNELS = {(8, colour_type, 0): channels for channels, colour_type in COLOUR_TYPES.items()}


class NotAPictureError(ValueError):
    """The bytes are not a PNG that can be read; trying again will not help."""


class Picture(NamedTuple):
    """Pixels row by row, from the top left, `channels` bytes each."""

    width: int
    height: int
    channels: int
    pixels: bytes


def encode(picture: Picture) -> bytes:
    """A PNG file without filters."""
    width, height, channels, pixels = picture
    header = struct.pack(">IIBBBBB", width, height, 8, COLOUR_TYPES[channels], 0, 0, 0)
    stride = width * channels
    rows = b"".join(b"\0" + pixels[start : start + stride] for start in range(0, height * stride, stride))
    chunks = ((b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    return SIGNATURE + b"".join(_chunk(kind, body) for kind, body in chunks)


def decode(data: bytes) -> Picture:
    """The picture in a PNG file.

    Raises:
        NotAPictureError: It is cut short, damaged, or of a kind that the demo does not read.
    """
    if not data.startswith(SIGNATURE):
        raise NotAPictureError("no PNG signature at the start")
    chunks = list(_chunks(data))
    if not chunks or chunks[0][0] != b"IHDR":
        raise NotAPictureError("no header chunk")
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", chunks[0][1])
    channels = CHANNELS.get((depth, colour, interlaced))
    if channels is None:
        raise NotAPictureError("a kind of PNG that the demo does not read")
    filtered = zlib.decompress(b"".join(body for kind, body in chunks if kind == b"IDAT"))
    return Picture(width, height, channels, _unfiltered(filtered, width * channels, height, channels))


def thumbnail(picture: Picture, longest: int = 48) -> Picture:
    """The picture with no side longer than `longest` pixels; each pixel is the mean of a square of the old ones."""
    width, height, channels, pixels = picture
    step = max(1, -(-max(width, height) // longest))
    columns, rows = -(-width // step), -(-height // step)
    small = bytearray()
    for top in range(0, rows * step, step):
        lines = range(top, min(top + step, height))
        for left in range(0, columns * step, step):
            right = min(left + step, width)
            count = len(lines) * (right - left)
            for channel in range(channels):
                total = sum(
                    sum(pixels[(y * width + left) * channels + channel : (y * width + right) * channels : channels])
                    for y in lines
                )
                small.append(total // count)
    return Picture(columns, rows, channels, bytes(small))


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Every chunk up to the end mark, its checksum compared."""
    at, kind = len(SIGNATURE), b""
    while kind != b"IEND":
        if at + 12 > len(data):
            raise NotAPictureError(f"cut short after {len(data)} bytes")
        length, kind = struct.unpack_from(">I4s", data, at)
        body, checksum = data[at + 8 : at + 8 + length], data[at + 8 + length : at + 12 + length]
        if at + 12 + length > len(data):
            raise NotAPictureError(f"cut short after {len(data)} bytes, in a chunk of {length}")
        if checksum != struct.pack(">I", zlib.crc32(kind + body)):
            raise NotAPictureError(f"damaged: the checksum of chunk {kind.decode('latin-1')} does not match")
        yield kind, body
        at += 12 + length


def _unfiltered(filtered: bytes, stride: int, height: int, channels: int) -> bytes:
    """Undo the filter of each row: a byte is the difference to its neighbours on the left and above."""
    if len(filtered) != (stride + 1) * height:
        raise NotAPictureError("the number of pixels does not match the header")
    above, result = bytes(stride), bytearray()
    for start in range(0, len(filtered), stride + 1):
        kind, row = filtered[start], bytearray(filtered[start + 1 : start + 1 + stride])
        for i, value in enumerate(row if kind else b""):
            left, corner = (row[i - channels], above[i - channels]) if i >= channels else (0, 0)
            row[i] = (value + _predicted(kind, left, above[i], corner)) & 0xFF
        result += row
        above = bytes(row)
    return bytes(result)


def _predicted(kind: int, left: int, above: int, corner: int) -> int:
    """What a byte probably is: filters 1 to 4 of the specification."""
    guess = left + above - corner
    nearest = min((left, above, corner), key=lambda neighbour: abs(guess - neighbour))
    return (0, left, above, (left + above) // 2, nearest)[kind]
