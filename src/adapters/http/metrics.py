"""How many requests were served, and how fast, for Prometheus."""

import os
from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from typing import Final

from attrs import define, field
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

BUCKETS: Final = (0.005, 0.025, 0.1, 0.5, 2.5)
"""Upper bounds in seconds, inclusive."""

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_NAMES: Final = [*(str(bucket) for bucket in BUCKETS), "+Inf"]


@define
class _Series:
    seconds: float = 0.0
    counts: list[int] = field(factory=lambda: [0] * len(_NAMES))


@define(eq=False)
class RequestMetrics(Collector):
    """Requests of this process by route template, method and status: nothing that a client can make up.

    Counted in plain numbers, at a tenth of the cost of the library's own histogram.
    """

    _series: dict[tuple[str, str, int], _Series] = field(init=False, factory=dict)

    def count(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a response."""
        key = (route, method if method in _METHODS else "other", status)
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = _Series()
        series.seconds += seconds
        series.counts[bisect_left(BUCKETS, seconds)] += 1

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """The histogram, when Prometheus scrapes."""
        family = HistogramMetricFamily(
            "evo_todo_request_seconds",
            "Time from the end of a request's headers to the end of its response.",
            labels=("worker", "route", "method", "status"),
        )
        worker = str(os.getpid())
        for (route, method, status), series in self._series.items():
            buckets = list(zip(_NAMES, accumulate(series.counts), strict=True))
            family.add_metric((worker, route, method, str(status)), buckets, series.seconds)
        yield family
