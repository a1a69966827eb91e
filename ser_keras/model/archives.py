"""Zip archives, such as `.keras` and `.npz` files, checked before they are trusted."""

from __future__ import annotations

import copy
import zipfile
from pathlib import Path

from ser_keras.errors import SerKerasError

_BLOCK = 1 << 20  # bytes


class ArchiveError(SerKerasError, ValueError):
    """A zip archive is not as it was written, or would unpack to more than is allowed.

    Example:
        >>> Path("model.keras").write_bytes(b"half")
        4
        >>> check(Path("model.keras"), most=1000)
        Traceback (most recent call last):
        ser_keras.model.archives.ArchiveError: model.keras: expected a zip archive as it was
        written, found otherwise (File is not a zip file)
    """


def check(path: Path, most: int) -> None:
    """Read a zip archive in little memory, against its checksums, its sizes and a bound.

    Keras takes pieces out of the middle of an archive, which Python compares with no checksum, and
    Python unpacks a stream before it cuts it to the size that the archive says. Whether members are
    missing is for the reader to check.

    Args:
        path: the archive.
        most: bytes that all of it may unpack to.

    Raises:
        ArchiveError: a member is damaged or longer than the archive says, or there is too much.

    Example:
        >>> np.savez("a.npz", np.zeros(3))
        >>> check(Path("a.npz"), most=1000)
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            _limit(path, sum(member.file_size for member in members), most)
            unpacked = 0
            for member in members:
                unpacked += _size(archive, member, most - unpacked)
                _limit(path, unpacked, most)
    except ArchiveError:
        raise
    except Exception as error:  # a damaged archive can raise nearly anything
        raise ArchiveError(
            f"{path}: expected a zip archive as it was written, found otherwise ({error})"
        ) from error


def _limit(path: Path, unpacked: int, most: int) -> None:
    if unpacked > most:
        raise ArchiveError(
            f"{path}: expected an archive that unpacks to at most {most} bytes, found more"
        )


def _size(archive: zipfile.ZipFile, member: zipfile.ZipInfo, most: int) -> int:
    """Return how long a member really is, or a number above `most`; check it if it is not."""
    # Of other methods, Python cannot unpack a block without unpacking all that belongs to it.
    if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise zipfile.BadZipFile(f"{member.filename} has compression {member.compress_type}")
    # Python stops reading at the size that the archive says; read on to where the stream ends.
    whole = copy.copy(member)
    whole.file_size = most + 2 * _BLOCK
    size = 0
    with archive.open(whole) as stream:
        while size <= most and (block := stream.read(_BLOCK)):
            size += len(block)
    if size <= most and size != member.file_size:
        raise zipfile.BadZipFile(f"{member.filename} has {size} bytes, not {member.file_size}")
    return size
