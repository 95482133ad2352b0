"""Makes screenshots smaller by reducing them to a palette of 256 colours (PNG specification, third edition)."""

from __future__ import annotations

import struct
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping

SIGNATURE = b"\x89PNG\r\n\x1a\n"
RGB, PALETTE, RGBA = 2, 3, 6
CHANNELS = {RGB: 3, RGBA: 4}

Colour = tuple[int, ...]


def smaller(png: bytes) -> bytes:
    """Return the picture with a palette.

    Returns `png` unchanged unless it is 8-bit RGB, or RGBA without transparency.
    """
    chunks = dict(_chunks(png))
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", chunks[b"IHDR"])
    if depth != 8 or colour not in CHANNELS or interlaced:
        return png
    step = CHANNELS[colour]
    pixels = _unfiltered(zlib.decompress(chunks[b"IDAT"]), width * step, height, step)
    if step == 4 and set(pixels[3::4]) != {255}:
        return png
    return _written([tuple(pixels[at : at + 3]) for at in range(0, len(pixels), step)], width, height)


def palette(counts: Mapping[Colour, int], size: int = 256) -> tuple[list[Colour], dict[Colour, int]]:
    """Choose at most `size` colours, preferring frequent ones that are far apart.

    Returns them, and for each original colour the index of the nearest chosen one.
    """
    nearest = dict.fromkeys(counts, (10**6, 0))
    chosen = [max(counts, key=counts.__getitem__)]
    while True:
        for colour, best in nearest.items():
            away = sum((a - b) ** 2 for a, b in zip(colour, chosen[-1], strict=True))
            nearest[colour] = min(best, (away, len(chosen) - 1))
        if len(chosen) == min(size, len(counts)):
            return chosen, {colour: index for colour, (_, index) in nearest.items()}
        chosen.append(max(nearest, key=lambda colour: nearest[colour][0] * counts[colour] ** 0.5))


def _written(pixels: list[Colour], width: int, height: int) -> bytes:
    colours, indexes = palette(Counter(pixels))
    lines = bytes(indexes[pixel] for pixel in pixels)
    data = b"".join(b"\0" + lines[at : at + width] for at in range(0, len(lines), width))
    return _png(width, height, data, b"".join(map(bytes, colours)))


def _png(width: int, height: int, data: bytes, colours: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, 8, PALETTE, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"PLTE", colours), (b"IDAT", zlib.compress(data, 9)), (b"IEND", b""))
    return SIGNATURE + b"".join(_chunk(kind, body) for kind, body in chunks)


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield all chunks, with the data of all IDAT chunks joined into one."""
    at, data = len(SIGNATURE), b""
    while at < len(png):
        (size,) = struct.unpack_from(">I", png, at)
        kind, body = png[at + 4 : at + 8], png[at + 8 : at + 8 + size]
        at += size + 12
        if kind == b"IDAT":
            data += body
        else:
            yield kind, body
    yield b"IDAT", data


def _unfiltered(data: bytes, row: int, height: int, step: int) -> bytes:
    out, before = bytearray(), bytearray(row)
    for number in range(height):
        start = number * (row + 1)
        line = bytearray(data[start + 1 : start + 1 + row])
        _undo(data[start], line, before, step)
        out += line
        before = line
    return bytes(out)


def _undo(kind: int, line: bytearray, before: bytearray, step: int) -> None:
    for at in range(len(line)) if kind else ():
        left = line[at - step] if at >= step else 0
        up, corner = before[at], before[at - step] if at >= step else 0
        prediction = {1: left, 2: up, 3: (left + up) // 2}.get(kind)
        line[at] = (line[at] + (_paeth(left, up, corner) if prediction is None else prediction)) & 255


def _paeth(left: int, up: int, corner: int) -> int:
    prediction = left + up - corner
    return min((left, up, corner), key=lambda one: abs(prediction - one))
