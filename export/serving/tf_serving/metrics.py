"""Counters for Prometheus, under the names that TF Serving gives them."""

from __future__ import annotations

import bisect
import itertools
from collections import defaultdict

PATH = "/monitoring/prometheus/metrics"

# `Buckets::Exponential(10, 1.8, 33)` of TF Serving's util.cc: microseconds, to about 20 minutes.
_LIMITS = tuple(10 * 1.8**power for power in range(33))


class _Histogram:
    """Counts of values between limits, in microseconds."""

    def __init__(self) -> None:
        self._counts = [0] * (len(_LIMITS) + 1)
        self._sum = 0.0

    def add(self, value: float) -> None:
        self._counts[bisect.bisect_right(_LIMITS, value)] += 1
        self._sum += value

    def lines(self, name: str, labels: str) -> list[str]:
        totals = list(itertools.accumulate(self._counts))
        limits = [*(f"{limit:g}" for limit in _LIMITS), "+Inf"]
        pairs = zip(limits, totals, strict=True)
        lines = [f'{name}_bucket{{{labels},le="{limit}"}} {total}' for limit, total in pairs]
        lines.append(f"{name}_sum{{{labels}}} {self._sum:g}")
        return [*lines, f"{name}_count{{{labels}}} {totals[-1]}"]


class Metrics:
    """Counts of requests by outcome, and their latencies.

    Example:
        >>> metrics = Metrics()
        >>> metrics.record("vrnn", "predict", "OK", seconds=0.02, running=0.01)
        >>> print(metrics.text())
        # TYPE :tensorflow:serving:request_count counter
        :tensorflow:serving:request_count{model_name="vrnn",status="OK"} 1
        ...
    """

    def __init__(self) -> None:
        self._requests: dict[tuple[str, str], int] = defaultdict(int)
        self._request_latency: dict[tuple[str, str], _Histogram] = defaultdict(_Histogram)
        self._runtime_latency: dict[tuple[str, str], _Histogram] = defaultdict(_Histogram)

    def record(self, model: str, method: str, status: str, seconds: float, running: float) -> None:
        """Count a request to a model that exists.

        Args:
            model: its name.
            method: predict, classify or regress.
            status: a canonical code, such as OK.
            seconds: from the body read to the answer written.
            running: seconds of these that the model took, waiting for its turn included.
        """
        api = method.capitalize()
        self._requests[model, status] += 1
        self._request_latency[model, api].add(seconds * 1e6)
        if status == "OK":
            self._runtime_latency[model, api].add(running * 1e6)

    def text(self) -> str:
        """Return all counters in Prometheus' text format."""
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
