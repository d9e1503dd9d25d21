"""The targets of the growth benchmark."""

from collections.abc import Iterable
from statistics import median
from typing import Any

FLAT = 1.5
"""The largest ratio of maximum to minimum that counts as constant."""


def verdicts(found: dict[str, Any]) -> str:
    """A table of the targets, with bound, measurement and result."""
    sizes, engines, workers = found["list"].values(), found["engines"], found["workers"]
    rows = [
        (f"{kind}: flat from 20 to 1 000 000 tasks", _spread(one[kind] for one in sizes), FLAT)
        for kind in _kinds(sizes)
    ]
    rows += [
        ("get: flat from 10 to 100 000 users", _spread(found["people"].values()), FLAT),
        ("search over 10 000 tasks, p99 in ms", found["search"]["p99"], 30),
        ("a list of 1000 tasks, ms of CPU", found["thousand"]["cpu"], 15),
        ("memory of a worker, MiB", max(found["memory"]), 130),
        ("memory: flat once warm", _spread(found["memory"][2:]), FLAT),
    ]
    lines = [_line(what, measured, f"at most {most:g}", is_met=measured <= most) for what, measured, most in rows]
    least = [
        (f"{kind} on SQLite, beside PostgreSQL", engines["sqlite"][kind] / engines["postgresql"][kind], 0.5)
        for kind in ("get", "list", "first list")
    ]
    least += [
        ("durable creates a second on SQLite", engines["sqlite"]["create"], 300),
        (*_two_workers(workers), 1.8),
    ]
    lines += [_line(what, measured, f"at least {bound:g}", is_met=measured >= bound) for what, measured, bound in least]
    return "\n".join(["| target | bound | measured | met |", "|---|---|---|---|", *lines])


def _two_workers(workers: dict[str, list[float]]) -> tuple[str, float]:
    if workers["one"]:
        quotients = [two / one for one, two in zip(workers["one"], workers["two"], strict=True)]
        return "two workers beside one, each with a part of a core", median(quotients)
    quotients = [2 * one / two for one, two in zip(workers["one's CPU"], workers["two's CPU"], strict=True)]
    return "two workers beside one, by CPU per request", median(quotients)


def _kinds(sizes: Iterable[dict[str, float]]) -> list[str]:
    return list(next(iter(sizes)))


def _spread(values: Iterable[float]) -> float:
    known = list(values)
    return max(known) / min(known)


def _line(what: str, measured: float, bound: str, *, is_met: bool) -> str:
    return f"| {what} | {bound} | {measured:.2f} | {'yes' if is_met else 'no'} |"
