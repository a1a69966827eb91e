"""Decoding by libsndfile, to the true end of a file, whatever its header says of it.

What libsndfile gets wrong is put right in what it is given to read, since it reads no further than
the length that it believes in:

- the length of an MP3 without an index is an estimate: a view of the file pretends to be longer;
- of MP3, Ogg and FLAC files that were joined it reads the first: each is a view of its own;
- a recorder that crashes leaves lengths of 0: a view has the true ones.

Tested with libsndfile 1.2.2 and soundfile 0.14.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import ExitStack
from typing import BinaryIO, NamedTuple

import numpy as np
import soundfile

from ser_keras.errors import AudioError
from ser_keras.sound import mpeg, wav_header
from ser_keras.sound.views import View

# How much longer than it is an MP3 pretends to be: its bitrates differ by less.
_LONGER = 64
# The beginning of a FLAC file: its name, and a header of 34 bytes.
_FLAC = re.compile(rb"fLaC[\x00\x80]\x00\x00\x22")
_BLOCK = 1 << 20  # bytes
_MP3_FRAME = 1152  # samples
# libsndfile corrects the length of a truncated WAV or AIFF and mentions it in its log alone.
_CORRECTED = re.compile(r"^\s*(?:data|SSND)\s*: (\d+) \(should be (\d+)\)", re.MULTILINE)


class LibsndfileSound:
    """A recording that libsndfile decodes, from front to back.

    Attributes:
        container, coding: libsndfile's words.
        rate: in hertz.
        frames: samples of each channel; None where only decoding tells.
        remark: what a user should know of it; "" for nothing.

    Raises:
        soundfile.LibsndfileError: libsndfile cannot read it; reading raises it too.
        AudioError: the file is truncated.

    Example:
        >>> with open(wav, "rb") as file, LibsndfileSound(file, wav, "WAV") as sound:
        ...     sound.rate
        22050
    """

    def __init__(self, file: BinaryIO | View, name: str, form: str) -> None:
        self._name = name
        with ExitStack() as opened:
            self._pieces = pieces = _pieces(file, form)
            self._sounds = [opened.enter_context(_FrontToBack(piece.file)) for piece in pieces]
            first = self._sounds[0]
            self.container, self.coding = first.format, first.subtype
            self.rate, self.channels = first.samplerate, first.channels
            known = all(piece.is_length_known for piece in pieces)
            frames = sum(sound.frames for sound in self._sounds)
            # A FLAC file may leave its length out; libsndfile then takes the largest number.
            self.frames = frames if known and frames < 2**48 else None
            is_unfinished = any(piece.is_repaired for piece in pieces) or self._check()
            self.remark = wav_header.UNFINISHED if is_unfinished else ""
            self.close = opened.pop_all().close

    def __enter__(self) -> LibsndfileSound:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def blocks(self, size: int, first: int = 0) -> Iterator[np.ndarray]:
        """Decode from a frame on, in blocks of at most `size`: float32 [N, channels]."""
        begin, *others = self._sounds
        if not others and self.frames is not None and begin.can_seek:
            begin.seek(first)
            first = 0
        for sound, piece in zip(self._sounds, self._pieces, strict=True):
            for block in _read(sound, piece, size):
                wanted = block[first:]
                first -= len(block) - len(wanted)
                if len(wanted):
                    yield wanted

    def _check(self) -> bool:
        """Refuse what is truncated or joined of different files; tell if it has no length."""
        for sound in self._sounds[1:]:
            found = sound.samplerate, sound.channels
            if found != (self.rate, self.channels):
                raise AudioError(
                    self._name,
                    f"joined files: expected {self.rate} Hz and {self.channels} channels in each, "
                    f"found {found[0]} Hz and {found[1]} channels",
                )
        if corrected := _CORRECTED.search(self._sounds[0].extra_info):
            claimed, found_bytes = map(int, corrected.groups())
            if not wav_header.is_length(claimed):
                return True
            if found_bytes < claimed:
                raise AudioError(
                    self._name, f"truncated: expected {claimed} bytes of sound, found {found_bytes}"
                )
        return False


class _FrontToBack(soundfile.SoundFile):
    """soundfile seeks behind every read, which GSM, G.721 and a FLAC of no known length cannot."""

    @property
    def can_seek(self) -> bool:
        return bool(super().seekable())

    def seekable(self) -> bool:
        return False


def _read(sound: _FrontToBack, piece: _Piece, size: int) -> Iterator[np.ndarray]:
    """Decode a piece to its end, which may be within a frame in an MP3 without an index."""
    # An error costs the block that it occurs in.
    most = size if piece.is_length_known else min(size, _MP3_FRAME)
    try:
        while len(block := sound.read(most, dtype="float32", always_2d=True)):
            yield block
    except soundfile.LibsndfileError:
        if piece.is_length_known or mpeg.has_frames(piece.file.read(_BLOCK)):
            raise


class _Piece(NamedTuple):
    """A part of a file that libsndfile reads as one."""

    file: View
    is_length_known: bool = True
    is_repaired: bool = False


def _pieces(file: BinaryIO | View, form: str) -> list[_Piece]:
    """Divide a file of a format, as `formats.identify` names it, into those that were joined."""
    size = file.seek(0, io.SEEK_END)
    if form == "MP3":
        return _mp3_pieces(file, size)
    if form in ("Ogg", "FLAC"):
        starts = _ogg_joints(file, size) if form == "Ogg" else _flac_joints(file)
        ends = [*starts[1:], size]
        return [_Piece(View(file, *piece)) for piece in zip(starts, ends, strict=True)]
    lengths = {}
    if form in ("WAV", "RF64"):
        lengths = wav_header.missing_lengths(file, size)
    elif form == "AU":
        lengths = _missing_au_length(file)
    return [_Piece(View(file, 0, size, lengths), is_repaired=bool(lengths))]


def _mp3_pieces(file: BinaryIO | View, size: int) -> list[_Piece]:
    starts = mpeg.joints(file, size)
    pieces = []
    for start, end in zip(starts, [*starts[1:], size], strict=True):
        index = mpeg.read_index(file, start)
        known = index is not None and index.frames > 0
        claimed = None if known else _LONGER * (end - start)
        pieces.append(_Piece(View(file, start, end, claimed=claimed), known))
    return pieces


def _ogg_joints(file: BinaryIO | View, size: int) -> list[int]:
    """Find the offsets of the links of a chain: pages that begin a stream, behind others.

    RFC 3533, sections 4 and 6. Streams that run side by side begin in pages that follow each other.
    """
    starts, at, began = [], 0, False
    while at + 27 <= size:
        file.seek(at)
        header = file.read(27)
        if header[:4] != b"OggS":
            break
        begins = bool(header[5] & 2)
        if begins and not began:
            starts.append(at)
        began = begins
        at += 27 + header[26] + sum(file.read(header[26]))
    return starts or [0]


def _flac_joints(file: BinaryIO | View) -> list[int]:
    """Find the offsets of FLAC files in a file; the first is 0, even if a tag stands there."""
    found, before, at = [], b"", 0
    file.seek(0)
    while block := file.read(_BLOCK):
        content = before + block
        found += [at - len(before) + match.start() for match in _FLAC.finditer(content)]
        at += len(block)
        before = content[-7:]  # one byte less than a match has
    return [0, *found[1:]]


def _missing_au_length(file: BinaryIO | View) -> dict[int, bytes]:
    """Say in an AU file of length 0 that the length is not known, as its format allows."""
    file.seek(0)
    header = file.read(12)
    return {8: b"\xff" * 4} if header[:4] == b".snd" and header[8:] == bytes(4) else {}
