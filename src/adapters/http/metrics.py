"""How many requests were served, and how fast, for Prometheus."""

import os
from collections.abc import Iterator, Mapping
from typing import Final

from attrs import define, field, frozen
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, Metric, disable_created_metrics
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.registry import Collector

from application.health import Measurements

BUCKETS: Final = (0.005, 0.025, 0.1, 0.5, 2.5)
"""Upper bounds in seconds, inclusive."""

DELAY_BUCKETS: Final = (0.001, 0.005, 0.025, 0.1, 0.5, 2.5)
"""The same for the delay of events."""

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
            "Time from the end of a request's headers to the end of its response; to the start of an event stream.",
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


@frozen(eq=False)
class MeasurementCollector(Collector):
    """Exports numbers that other parts of this process keep, as they are when Prometheus asks."""

    _measurements: Measurements

    def collect(self) -> Iterator[Metric]:
        """Read each number."""
        worker = str(os.getpid())
        for one in self._measurements:
            kind = CounterMetricFamily if one.is_total else GaugeMetricFamily
            family = kind(one.name, one.help, labels=("worker", *one.labels))
            found = one.read()
            for labels, value in (found if isinstance(found, Mapping) else {(): found}).items():
                family.add_metric((worker, *labels), value)
            yield family


@define(eq=False)
class StreamMetrics:
    """The event streams of this process."""

    _registry: CollectorRegistry
    _open: Gauge = field(init=False)
    _events: Counter = field(init=False)
    _delay: Histogram = field(init=False)
    _counts: dict[str, Counter] = field(init=False, factory=dict)
    """The counter's children."""

    def __attrs_post_init__(self) -> None:
        worker = str(os.getpid())
        gauge = Gauge("evo_todo_streams", "Open event streams.", ("worker",), registry=self._registry)
        self._open = gauge.labels(worker)
        self._events = Counter(
            "evo_todo_stream_events", "Events sent to streams.", ("worker", "event"), registry=self._registry
        )
        delay = Histogram(
            "evo_todo_stream_delay_seconds",
            "Time from this worker's notice of a change until a stream has sent it.",
            ("worker",),
            buckets=DELAY_BUCKETS,
            registry=self._registry,
        )
        self._delay = delay.labels(worker)

    def count_streams(self, more: int) -> None:
        """Count streams that begin, or fewer than none that have ended."""
        self._open.inc(more)

    def count_event(self, name: str) -> None:
        """Count an event."""
        counter = self._counts.get(name)
        if counter is None:
            counter = self._counts[name] = self._events.labels(str(os.getpid()), name)
        counter.inc()

    def observe_delay(self, seconds: float) -> None:
        """Count how long a change took from its notice to a stream."""
        self._delay.observe(seconds)
