"""What was answered, how often and how fast, for Prometheus."""

import os
from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from typing import Final

from attrs import define, field
from litestar import Controller, Response, get
from litestar.datastructures import State
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import HistogramMetricFamily
from prometheus_client.registry import Collector

BUCKETS: Final = (0.005, 0.025, 0.1, 0.5, 2.5)
"""Seconds; an answer that took just as long counts as within."""

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_NAMES: Final = [*(str(bucket) for bucket in BUCKETS), "+Inf"]


@define
class _Series:
    seconds: float = 0.0
    counts: list[int] = field(factory=lambda: [0] * len(_NAMES))


@define(eq=False)
class RequestMetrics(Collector):
    """Answers of this process by route, method and status: nothing that a client makes up, and nobody's name.

    Counted in plain numbers, at a tenth of what the library's own histogram costs each request.
    """

    _series: dict[tuple[str, str, int], _Series] = field(init=False, factory=dict)

    def count(self, route: str, method: str, status: int, seconds: float) -> None:
        """Note an answer."""
        key = (route, method if method in _METHODS else "other", status)
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = _Series()
        series.seconds += seconds
        series.counts[bisect_left(BUCKETS, seconds)] += 1

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """What the library asks for when somebody scrapes."""
        family = HistogramMetricFamily(
            "evo_todo_request_seconds",
            "Time from a request's head to the end of its answer.",
            labels=("worker", "route", "method", "status"),
        )
        worker = str(os.getpid())
        for (route, method, status), series in self._series.items():
            buckets = list(zip(_NAMES, accumulate(series.counts), strict=True))
            family.add_metric((worker, route, method, str(status)), buckets, series.seconds)
        yield family


class Metrics(Controller):
    """For Prometheus; open, like the probes, and like them to be kept inside by the proxy in front."""

    include_in_schema = False

    @get("/metrics")
    async def metrics(self, state: State) -> Response[bytes]:
        """Tell this worker's numbers."""
        registry = CollectorRegistry()
        registry.register(state.metrics)
        return Response(generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST})
