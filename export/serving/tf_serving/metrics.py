"""Counters for Prometheus, under the names that TF Serving gives them."""

from __future__ import annotations

import bisect
from collections import defaultdict

PATH = "/monitoring/prometheus/metrics"

# `Buckets::Exponential(10, 1.8, 33)` of TF Serving's util.cc: microseconds, to about 20 minutes.
LIMITS = tuple(10 * 1.8**power for power in range(33))


class Histogram:
    """How often a value fell between limits."""

    def __init__(self) -> None:
        self._counts = [0] * (len(LIMITS) + 1)
        self._sum = 0.0

    def add(self, value: float) -> None:
        """Count a value, in microseconds."""
        self._counts[bisect.bisect_right(LIMITS, value)] += 1
        self._sum += value

    def lines(self, name: str, labels: str) -> list[str]:
        """Prometheus' text format."""
        total, written = 0, []
        for count, limit in zip(
            self._counts, [*(f"{limit:g}" for limit in LIMITS), "+Inf"], strict=True
        ):
            total += count
            written.append(f'{name}_bucket{{{labels},le="{limit}"}} {total}')
        return [
            *written,
            f"{name}_sum{{{labels}}} {self._sum:g}",
            f"{name}_count{{{labels}}} {total}",
        ]


class Metrics:
    """What was asked, how it ended, and how long it took."""

    def __init__(self) -> None:
        self._requests: dict[tuple[str, str], int] = defaultdict(int)
        self._request_latency: dict[tuple[str, str], Histogram] = defaultdict(Histogram)
        self._runtime_latency: dict[tuple[str, str], Histogram] = defaultdict(Histogram)

    def record(self, model: str, method: str, status: str, seconds: float, running: float) -> None:
        """Count a request of a model that exists.

        Args:
            model: its name.
            method: predict, classify or regress.
            status: a canonical code, such as OK.
            seconds: from the request read to the answer written out.
            running: how many of them the model took, waiting for its turn included.
        """
        api = method.capitalize()
        self._requests[model, status] += 1
        self._request_latency[model, api].add(seconds * 1e6)
        if status == "OK":
            self._runtime_latency[model, api].add(running * 1e6)

    def page(self) -> str:
        """All of it, in Prometheus' text format."""
        name = ":tensorflow:serving:request_count"
        lines = [f"# TYPE {name} counter"]
        for (model, status), count in sorted(self._requests.items()):
            lines.append(f'{name}{{model_name="{_escape(model)}",status="{status}"}} {count}')
        for name, table, last in (
            (":tensorflow:serving:request_latency", self._request_latency, 'entrypoint="REST"'),
            (":tensorflow:serving:runtime_latency", self._runtime_latency, 'runtime="TF2"'),
        ):
            lines.append(f"# TYPE {name} histogram")
            for (model, api), histogram in sorted(table.items()):
                labels = f'model_name="{_escape(model)}",API="{api}",{last}'
                lines += histogram.lines(name, labels)
        return "\n".join(lines) + "\n"


def _escape(label: str) -> str:
    return label.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
