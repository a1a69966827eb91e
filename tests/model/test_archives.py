"""Zip archives: what is damaged, or would fill the memory, is refused before it is unpacked."""

from __future__ import annotations

import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from ser_keras.model.archives import ArchiveError, check

MOST = 1 << 20


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "a.npz"
    np.savez(path, np.arange(6.0), np.arange(3))
    return path


def bomb(
    path: Path, size: int, says: int | None = None, method: int = zipfile.ZIP_DEFLATED
) -> Path:
    """Write an archive of zeros, whose directory perhaps says another size."""
    with zipfile.ZipFile(path, "w", method) as archive:
        archive.writestr("model.weights.h5", bytes(size))
    if says is not None:
        content = path.read_bytes()
        path.write_bytes(content.replace(struct.pack("<L", size), struct.pack("<L", says)))
    return path


def test_an_archive_is_whole(archive: Path):
    check(archive, MOST)


def test_no_changed_byte_changes_what_is_read(archive: Path):
    """Every byte in turn: it is noticed, or what is read does not depend on it."""
    content = archive.read_bytes()
    with np.load(archive) as arrays:
        before = [values.tolist() for values in arrays.values()]
    problems = []
    for position in range(len(content)):
        damaged = bytearray(content)
        damaged[position] ^= 1 << position % 8
        archive.write_bytes(damaged)
        try:
            check(archive, MOST)
        except ArchiveError as error:
            problems.append(str(error))
            continue
        with np.load(archive) as arrays:
            after = [values.tolist() for values in arrays.values()]
        assert after == before[: len(after)]  # a member may be missing from the directory
    assert len(problems) > len(content) / 2
    assert all(str(archive) in problem and problem.isprintable() for problem in problems)


@pytest.mark.parametrize("kept", [0.0, 0.1, 0.5, 0.99])
def test_a_truncated_archive_is_named(kept: float, archive: Path):
    content = archive.read_bytes()
    archive.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(ArchiveError, match=r"a\.npz: expected a zip archive as it was written"):
        check(archive, MOST)


def test_a_missing_archive_is_named(tmp_path: Path):
    with pytest.raises(ArchiveError, match=r"no\.npz"):
        check(tmp_path / "no.npz", MOST)


@pytest.mark.parametrize("says", [None, 1000, 0])
def test_a_bomb_is_refused_whatever_its_directory_says(says: int | None, tmp_path: Path):
    path = bomb(tmp_path / "bomb.keras", 64 << 20, says)
    tracemalloc.start()
    with pytest.raises(ArchiveError, match=r"bomb\.keras: expected an archive .* at most 1048576"):
        check(path, MOST)
    assert tracemalloc.get_traced_memory()[1] < 16 << 20
    tracemalloc.stop()


def test_members_count_together(tmp_path: Path):
    path = tmp_path / "many.keras"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for number in range(10):
            archive.writestr(str(number), bytes(200_000))
    check(path, 2_000_000)
    with pytest.raises(ArchiveError, match="at most 1999999 bytes"):
        check(path, 1_999_999)


def test_a_size_that_the_directory_understates_is_damage(tmp_path: Path):
    with pytest.raises(ArchiveError, match=r"model\.weights\.h5 has 5000 bytes, not 1000"):
        check(bomb(tmp_path / "a.keras", 5000, says=1000), MOST)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_what_cannot_be_unpacked_in_blocks_is_refused(method: int, tmp_path: Path):
    with pytest.raises(ArchiveError, match="has compression"):
        check(bomb(tmp_path / "a.keras", 1000, method=method), MOST)
