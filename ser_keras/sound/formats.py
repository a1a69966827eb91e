"""Formats of files, told by their first bytes, which no suffix can contradict."""

from __future__ import annotations

import re
from typing import NamedTuple

from ser_keras.sound import mpeg

ENOUGH = 4096  # bytes: two frames of MP3 and any signature below


class Format(NamedTuple):
    """A kind of file: its name in messages, and FFmpeg's demuxer for it; "" if it is not sound.

    Example:
        >>> identify(b"fLaC" + bytes(40))
        Format(name='FLAC', demuxer='flac')
    """

    name: str
    demuxer: str = ""

    @property
    def needs_pyav(self) -> bool:
        """Whether libsndfile reads nothing of this format."""
        return bool(self.demuxer) and self.demuxer not in _LIBSNDFILE


# Demuxers of what libsndfile reads, too.
_LIBSNDFILE = ("wav", "w64", "aiff", "iff", "flac", "ogg", "au", "caf", "nistsphere", "voc", "mp3")

_SIGNATURES = [
    (re.compile(pattern, re.DOTALL), Format(*form))
    for pattern, *form in (
        (rb"RI(FF|FX)....WAVE", "WAV", "wav"),
        (rb"(RF64|BW64)....WAVE", "RF64", "wav"),
        (rb"riff\x2e\x91\xcf\x11", "W64", "w64"),
        (rb"FORM....AIF[FC]", "AIFF", "aiff"),
        (rb"FORM....(8SVX|16SV)", "IFF", "iff"),
        (rb"fLaC", "FLAC", "flac"),
        (rb"OggS", "Ogg", "ogg"),
        (rb"\.snd|dns\.", "AU", "au"),
        (rb"caff\x00", "CAF", "caf"),
        (rb"NIST_1A", "NIST SPHERE", "nistsphere"),
        (rb"Creative Voice File", "VOC", "voc"),
        (rb"....ftyp|....(moov|mdat|wide|free|skip)....", "MP4 (m4a, mp4, 3gp, mov)", "mov"),
        (rb"#!AMR", "AMR", "amr"),
        (rb"\x1aE\xdf\xa3", "WebM (or Matroska)", "matroska"),
        (rb"\x30\x26\xb2\x75\x8e\x66\xcf\x11", "WMA (ASF)", "asf"),
        (rb"RIFF....AVI ", "AVI", "avi"),
        (rb"FLV\x01", "FLV", "flv"),
        (rb"ADIF", "AAC", "aac"),
        (rb"\x0b\x77", "AC-3", "ac3"),
        (rb"\x47.{187}\x47.{187}\x47", "MPEG-TS", "mpegts"),
        (rb"\x00\x00\x01\xba", "MPEG-PS", "mpeg"),
        (rb"wvpk", "WavPack", "wv"),
        (rb"MAC ", "Monkey's Audio", "ape"),
        (rb"TTA1", "TTA", "tta"),
        (rb"MPCK|MP\+", "Musepack", "mpc"),
        (rb"DSD ", "DSF", "dsf"),
        (rb"ID3[\x02-\x04]", "MP3", "mp3"),
        (rb"(\x02|)#!SILK", "SILK, as of WeChat, which needs a decoder of its own"),
        (rb"RIFF", "RIFF of another kind"),
        (rb"MThd", "MIDI, which is notes and no sound"),
        (rb"PK\x03\x04", "a ZIP archive"),
        (rb"\x1f\x8b\x08", "a gzip archive"),
        (rb"7z\xbc\xaf\x27\x1c", "a 7z archive"),
        (rb"Rar!", "a RAR archive"),
        (rb"%PDF-", "a PDF"),
        (rb"\x89PNG\r\n", "a PNG picture"),
        (rb"\xff\xd8\xff[\xe0-\xef]", "a JPEG picture"),
        (rb"\x93NUMPY", "a NumPy array"),
        (rb"\x89HDF\r\n", "an HDF5 file"),
        (rb"version https://git-lfs", "a Git LFS pointer (`git lfs pull` fetches the file)"),
        (rb"[^\n]{0,64}/annex/objects/", "a git-annex pointer (`git annex get` fetches the file)"),
        (rb"\s*<(?i:!doctype\s+html|html)", "a web page, such as that of a login"),
        (rb"#EXTM3U|\[playlist\]", "a playlist, which only names sound"),
    )
]  # fmt: skip
# Samples are never so many letters in a row.
_TEXT = re.compile(rb"[\t\n\r\x20-\x7e]{16,}")


def identify(beginning: bytes) -> Format | None:
    """Recognise a format by a file's first bytes, `ENOUGH` of them or all that there are.

    None where they tell nothing: samples without a header, or a format that is not listed here.

    Example:
        >>> identify(bytes(64)) is None
        True
    """
    for pattern, form in _SIGNATURES:
        if pattern.match(beginning):
            return form
    if mpeg.begins(beginning):
        return Format("MP3", "mp3")
    if _is_adts(beginning):
        return Format("AAC", "aac")
    if _TEXT.fullmatch(beginning):
        words = beginning[:30].decode("utf-8", "replace").split()
        return Format(f"text, {' '.join(words)!r}")
    return None


def _is_adts(beginning: bytes) -> bool:
    """Tell AAC without a container by two headers at the right distance, or the only one."""
    if len(beginning) < 7 or not _adts_sync(beginning):
        return False
    length = (beginning[3] & 3) << 11 | beginning[4] << 3 | beginning[5] >> 5
    following = beginning[length : length + 2]
    return length >= 7 and (_adts_sync(following) if following else len(beginning) == length)


def _adts_sync(header: bytes) -> bool:
    return len(header) >= 2 and header[0] == 0xFF and header[1] & 0xF6 == 0xF0
