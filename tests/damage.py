"""Damage that disks do, for tests of what notices it."""

from __future__ import annotations


def flipped(content: bytes) -> bytes:
    """Return a file's content with one bit in the middle as it was not written."""
    damaged = bytearray(content)
    damaged[len(damaged) // 2] ^= 1
    return bytes(damaged)
