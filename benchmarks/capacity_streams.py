"""Capacity on paper, where a formula does not suffice: a worker stops, and its event streams open again elsewhere.

How many streams each worker ends with, and how long clients wait, depends on chance: so it is simulated, client by
client, with figures that were measured. `python -m benchmarks.capacity_streams` prints the table of docs/scaling.md.
"""

import heapq
from collections import Counter
from random import Random
from typing import Final

from attrs import define, field, frozen

from adapters.http.open_streams import RETRY_AFTER
from adapters.http.routes.sync import RETRY_MS
from benchmarks.capacity import Need, rounded

STARTS: Final = 2000
"""Streams a second that a worker starts which does nothing else; most tokens are new to it."""
GIVEN_UP: Final = 60.0
"""Seconds after which who has no stream still counts as never back."""


@frozen
class Outcome:
    """What became of the streams of the worker that stopped."""

    slowest: float
    """Seconds until the last one was open, or infinite."""
    refused: int
    """How often a worker had too many already, and said 503."""


@define
class Worker:
    """A worker that is left."""

    streams: int
    cost: float
    """Seconds of its processor to start a stream, beside its other requests."""
    free_at: float = field(init=False, default=0.0)

    def start(self, now: float) -> float:
        """Start a stream, after those that wait; when it is open."""
        self.streams += 1
        self.free_at = max(self.free_at, now) + self.cost
        return self.free_at


def one_stops(need: Need, workers: int, *, counts: bool, seed: int = 1) -> Outcome:
    """One of these workers stops; `counts`: the proxy chooses the worker with the fewest connections, else any."""
    chance, most = Random(seed), need.one.streams
    load = need.per_second / (workers - 1) / need.one.requests
    cost = 1 / (STARTS * max(1 - load, 0.01))
    before = [int(need.streams) // workers] * workers
    if not counts:
        chosen = Counter(chance.choices(range(workers), k=int(need.streams)))
        before = [chosen[place] for place in range(workers)]
    left = [Worker(min(count, most), cost) for count in before[1:]]
    arrivals = [(chance.uniform(*RETRY_MS) / 1000, client) for client in range(min(before[0], most))]
    heapq.heapify(arrivals)
    slowest, refused = 0.0, 0
    while arrivals:
        now, client = heapq.heappop(arrivals)
        if now > GIVEN_UP:
            return Outcome(float("inf"), refused)
        worker = min(left, key=lambda one: one.streams) if counts else chance.choice(left)
        if worker.streams < most:
            slowest = max(slowest, worker.start(now))
        else:
            refused += 1
            heapq.heappush(arrivals, (now + chance.uniform(*RETRY_AFTER), client))
    return Outcome(slowest, refused)


def table() -> str:
    """The table as Markdown."""
    lines = [["users", "workers", "proxy", "all streams open again", "503 meanwhile"], ["---"] * 5]
    for users in (1_000_000, 10_000_000):
        need = Need(users)
        for spare in (-1, 0, 1):
            for counts in (True, False):
                workers = need.workers + spare
                found = one_stops(need, workers, counts=counts)
                slowest = "not within a minute" if found.slowest == float("inf") else f"after {found.slowest:.0f} s"
                how = "fewest connections" if counts else "any worker"
                lines.append([f"{users // 1_000_000} million", str(workers), how, slowest, rounded(found.refused)])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    print(table())  # noqa: T201  (what it is for)
