"""Render templates to reports: HTML files that load nothing, with their pictures inside."""

from __future__ import annotations

import base64
import math
from collections.abc import Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import jinja2
from matplotlib.figure import Figure

from ser_keras.evaluation.plots import png
from ser_keras.files import write_text

_MISSING = "–"


def render(package: str, template: str, **values: Any) -> str:
    """Render a template to a page.

    Args:
        package: the package that holds the template, as `__package__`.
        template: the template's file; it extends `page.html` and imports from `components.html`.
        **values: its variables. They are escaped; a variable that is missing is an error.

    Example:
        >>> render("ser_keras.evaluation.report", "page.html").startswith("<!DOCTYPE html>")
        True
    """
    loaders = [jinja2.PackageLoader(name, "") for name in (package, __package__)]
    environment = jinja2.Environment(
        loader=jinja2.ChoiceLoader(loaders),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "data_url": _data_url,
        "decimals": _decimals,
        "flat": _flat,
        "number": _number,
        "pairs": _pairs,
        "percent": _percent,
        "points": _points,
        "spread": _spread,
    }
    return environment.get_template(template).render(values)


def write(path: str | PathLike[str], page: str) -> None:
    """Write a page to a file; raises `OutputError` if that fails.

    Example:
        >>> ser.report.write("report.html", "<!DOCTYPE html>")
        >>> Path("report.html").read_text()
        '<!DOCTYPE html>'
    """
    # A file name that is no valid text reaches us with lone surrogates, which UTF-8 cannot hold.
    write_text(Path(path), page.encode("utf-8", errors="backslashreplace").decode("utf-8"))


def _number(fraction: float | None) -> str:
    """Format a fraction 0..1 in percent without the sign, for a column that names its unit."""
    return _MISSING if fraction is None or math.isnan(fraction) else f"{100 * fraction:.1f}"


def _percent(fraction: float | None) -> str:
    text = _number(fraction)
    return text if text == _MISSING else f"{text}\N{NO-BREAK SPACE}%"


def _points(difference: float | None) -> str:
    """Format a difference of two fractions in percentage points, with its sign."""
    return _MISSING if difference is None else f"{100 * difference:+.1f}".replace("-", "−")


def _spread(accuracy: Mapping[str, Any]) -> str:
    """Format {mean, std, runs} as mean ± standard deviation, and a single run as its value."""
    if len(accuracy["runs"]) < 2:
        return _percent(accuracy["mean"])
    deviation = _percent(accuracy["std"])
    return f"{_number(accuracy['mean'])}\N{NO-BREAK SPACE}±\N{NO-BREAK SPACE}{deviation}"


def _decimals(term: float | None) -> str:
    """Format a term of the objective; it is None if nothing was predicted or the model diverged."""
    return _MISSING if term is None else f"{term:.3f}"


def _data_url(figure: Figure) -> str:
    return f"data:image/png;base64,{base64.b64encode(png(figure)).decode('ascii')}"


def _pairs(
    similarity: Sequence[Sequence[float | None]], labels: Sequence[str]
) -> list[tuple[str, float]]:
    """Name the pairs of emotions that have a similarity, the most alike first."""
    pairs = [
        (f"{labels[row]} and {labels[column]}", value)
        for row in range(len(labels))
        for column in range(row)
        if (value := similarity[row][column]) is not None and not math.isnan(value)
    ]
    return sorted(pairs, key=lambda pair: pair[1], reverse=True)


def _flat(settings: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, str]]:
    """Yield names and values of nested dictionaries, names joined by points."""
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        elif isinstance(value, (list, tuple)):
            yield f"{prefix}{key}", ", ".join(map(str, value))
        else:
            yield f"{prefix}{key}", str(value)
