"""The parts that an HTML report is made of; every text is escaped unless it is `Markup` already.

A page is one file that loads nothing: style and pictures are inside it, and it has no script.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Sequence
from html import escape
from importlib.resources import files
from os import PathLike
from pathlib import Path
from string import Template

from matplotlib.figure import Figure

from ser_keras.evaluation.plots import png
from ser_keras.files import replacing

VOID = ("img",)  # HTML elements without a closing tag


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def element(tag: str, *children: object, **attributes: str) -> Markup:
    """An HTML element; a trailing underscore of an attribute's name (`class_`) is dropped."""
    written = "".join(
        f' {name.rstrip("_").replace("_", "-")}="{escape(value)}"'
        for name, value in attributes.items()
    )
    opening = f"<{tag}{written}>"
    return Markup(opening if tag in VOID else f"{opening}{_joined(children)}</{tag}>")


def section(heading: str, *children: object) -> Markup:
    """A heading and what stands under it."""
    return element("section", element("h2", heading), *children)


def notes(remarks: Iterable[str]) -> Markup:
    """A list of remarks, one sentence or two each."""
    return element("ul", *(element("li", remark) for remark in remarks))


def headline(facts: Iterable[tuple[str, str, str]]) -> Markup:
    """The few numbers that matter: for each its name, its value and a note."""
    return element(
        "dl",
        *(
            element(
                "div",
                element("dt", name),
                element("dd", value, class_="value"),
                element("dd", note, class_="note"),
            )
            for name, value, note in facts
        ),
        class_="headline",
    )


def table(
    caption: str,
    header: Sequence[str],
    rows: Iterable[Sequence[object]],
    numeric: bool = True,
) -> Markup:
    """A table whose first column names its rows.

    Args:
        caption: what the table shows, with units.
        header: one text per column.
        rows: cells by row, as they are to be read.
        numeric: align the other columns to the right.
    """
    head = element("tr", *(element("th", name, scope="col") for name in header))
    body = [
        element("tr", element("th", first, scope="row"), *(element("td", cell) for cell in rest))
        for first, *rest in rows
    ]
    whole = element(
        "table",
        element("caption", caption),
        element("thead", head),
        element("tbody", *body),
        class_="numbers" if numeric else "text",
    )
    return element("div", whole, class_="scroll", role="region", aria_label=caption, tabindex="0")


def picture(figure: Figure, caption: str, alternative: str) -> Markup:
    """A figure with its caption, and what it shows in words for who cannot see it."""
    data = base64.b64encode(png(figure)).decode("ascii")
    image = element("img", src=f"data:image/png;base64,{data}", alt=alternative)
    return element("figure", image, element("figcaption", caption))


def render(title: str, summary: str, sections: Iterable[Markup]) -> str:
    """The whole page."""
    template = Template(files(__package__).joinpath("page.html").read_text(encoding="utf-8"))
    return template.substitute(
        title=escape(title), summary=escape(summary), sections="\n".join(sections)
    )


def write(path: str | PathLike[str], page: str) -> None:
    """Write a page to a file.

    Raises:
        OutputError: the file cannot be written.
    """
    # A file name that is no valid text reaches us with lone surrogates, which UTF-8 cannot hold.
    content = page.encode("utf-8", errors="backslashreplace")
    with replacing(Path(path)) as temporary:
        temporary.write_bytes(content)


def _joined(children: Iterable[object]) -> str:
    return "".join(child if isinstance(child, Markup) else escape(str(child)) for child in children)
