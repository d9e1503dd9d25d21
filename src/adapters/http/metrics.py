"""How many requests were served, and how fast, for Prometheus."""

import os
from typing import Final

from attrs import define, field
from prometheus_client import CollectorRegistry, Histogram, disable_created_metrics

BUCKETS: Final = (0.005, 0.025, 0.1, 0.5, 2.5)
"""Upper bounds in seconds, inclusive."""

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

disable_created_metrics()  # type: ignore[no-untyped-call]  # a second series for each, which nobody needs


@define(eq=False)
class RequestMetrics:
    """Requests of this process by route template, method and status: nothing that a client can make up."""

    registry: CollectorRegistry = field(init=False, factory=CollectorRegistry)
    """What Prometheus scrapes."""
    _seconds: Histogram = field(init=False)
    _series: dict[tuple[str, str, int], Histogram] = field(init=False, factory=dict)
    """The histogram's children: the library looks one up in five times the time of a dictionary."""

    def __attrs_post_init__(self) -> None:
        self._seconds = Histogram(
            "evo_todo_request_seconds",
            "Time from the end of a request's headers to the end of its response.",
            ("worker", "route", "method", "status"),
            buckets=BUCKETS,
            registry=self.registry,
        )

    def count(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count a response."""
        key = (route, method if method in _METHODS else "other", status)
        series = self._series.get(key)
        if series is None:
            series = self._series[key] = self._seconds.labels(str(os.getpid()), route, key[1], str(status))
        series.observe(seconds)
