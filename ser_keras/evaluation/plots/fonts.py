"""Fonts for names that the figures' own font cannot write, such as Chinese, Japanese or Korean."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Iterator

from matplotlib import font_manager, ft2font
from matplotlib.figure import Figure
from matplotlib.text import Text

FONT = "DejaVu Sans"  # comes with matplotlib: the same picture on every machine


def fall_back(figure: Figure) -> None:
    """Let texts fall back on installed fonts for the characters that `FONT` lacks.

    Example:
        >>> fall_back(ser.plots.confusion_matrix([[1]], ["悲しい"]))
    """
    texts: list[Text] = figure.findobj(Text)
    for text in texts:
        missing = frozenset(map(ord, text.get_text())) - _characters(FONT)
        if missing:
            text.set_fontfamily([FONT, *_families(missing)])


@functools.cache
def _characters(family: str) -> frozenset[int]:
    # A line break is no character of a font.
    return frozenset({ord("\n"), *_charmap(font_manager.findfont(family))})


def _charmap(path: str) -> Iterable[int]:
    """Return the characters of a font; none of one that cannot be drawn at any size."""
    try:
        font = ft2font.FT2Font(path)
        return font.get_charmap() if font.scalable else ()
    except (OSError, RuntimeError):
        return ()


@functools.lru_cache(maxsize=64)
def _families(characters: frozenset[int]) -> tuple[str, ...]:
    """Find installed fonts that have the characters between them, as far as there are any."""
    found, missing = [], set(characters)
    for path in _installed():
        covered = missing.intersection(_charmap(path))
        if covered:
            found.append(_register(path))
            missing -= covered
        if not missing:
            break
    return tuple(found)


def _installed() -> Iterator[str]:
    """Yield the files of all installed fonts, upright ones without serifs first."""

    def look(path: str) -> tuple[bool, bool, str]:
        name = path.lower()
        return any(style in name for style in ("bold", "italic", "oblique")), "serif" in name, path

    yield from sorted(font_manager.findSystemFonts(), key=look)


def _register(path: str) -> str:
    """Make a file known to matplotlib as a family of its own; return the family's name.

    Its own family is known by weights and styles, which many a font lacks, with a warning each.
    """
    font = font_manager.FontEntry(
        fname=path, name=f"ser_keras fallback {path}", style="normal", variant="normal",
        weight=400, stretch="normal", size="scalable",
    )  # fmt: skip
    font_manager.fontManager.ttflist.append(font)
    return font.name
