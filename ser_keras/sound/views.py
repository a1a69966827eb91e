"""Parts of a file as files of their own, with bytes of a header put right."""

from __future__ import annotations

import io
from typing import Any


class View(io.RawIOBase):
    """The bytes of a file from `start` to `end`, some of them replaced; the file stays as it is.

    Args:
        file: a binary file that can seek; reading the view moves its position.
        start: in bytes.
        end: in bytes.
        replaced: bytes by their offset in the view.
        name: the file's, in errors.
        claimed: a length to pretend; all that is read beyond the true end is a tag's worth of zeros
            at the pretended one.

    Example:
        >>> import io
        >>> View(io.BytesIO(b"0123456789"), 2, 6, replaced={1: b"x"}).read()
        b'2x45'
    """

    _TAG = 128  # bytes; decoders of MP3 look for a tag of this size before the end

    def __init__(
        self,
        file: Any,
        start: int,
        end: int,
        replaced: dict[int, bytes] | None = None,
        claimed: int | None = None,
        name: str = "",
    ) -> None:
        self.name = name
        self._file = file
        self._start = start
        self._size = end - start
        self._replaced = replaced or {}
        self._claimed = self._size if claimed is None else claimed
        self._position = 0

    def readable(self) -> bool:
        """Tell that it can be read."""
        return True

    def seekable(self) -> bool:
        """Tell that it can seek."""
        return True

    def tell(self) -> int:
        """Return the position, in bytes."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move the position; the end is the one claimed."""
        origin = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._claimed}
        self._position = max(0, origin[whence] + offset)
        return self._position

    def readinto(self, buffer: Any) -> int:
        """Read as many bytes as there are into a buffer; return their number."""
        at = self._position
        self._file.seek(self._start + at)
        content = bytearray(self._file.read(max(0, min(len(buffer), self._size - at))))
        for offset, new in self._replaced.items():
            first, last = max(offset, at), min(offset + len(new), at + len(content))
            if first < last:
                content[first - at : last - at] = new[first - offset : last - offset]
        if self._claimed > self._size and at >= self._claimed - self._TAG:
            content = bytearray(min(len(buffer), max(0, self._claimed - at)))
        buffer[: len(content)] = content
        self._position += len(content)
        return len(content)
