"""Capacity on paper: what a number of users needs, from figures that were measured; the table of docs/scaling.md.

python -m benchmarks.capacity
"""

from math import ceil
from typing import Final

from attrs import frozen

DAY: Final = 86_400
GIB: Final = 2**30


@frozen
class Assumptions:
    """How people use it, and how much is spare; change these first."""

    active: float = 0.2
    """Share of the users who use it on a day."""
    tasks: int = 40
    """Of a user, tombstones included."""
    reads: int = 50
    writes: int = 10
    """Requests of an active user on a day."""
    peak: float = 3
    """The busiest hour, as a multiple of the day's mean."""
    streaming: float = 0.1
    """Share of the active users who have a stream open in the busiest hour."""
    sign_outs: float = 0.3
    """Of an active user on a day."""
    token_lifetime: float = 15 * 60


@frozen
class Measured:
    """What docs/performance.md, docs/operations.md and docs/scaling.md say was measured, rounded against us."""

    requests: int = 3000
    """Of a worker in a second, gets and creates mixed: a quarter of the gets that it can answer."""
    streams: int = 10_000
    """Of a worker: the default of EVO_TODO_MAX_STREAMS."""
    stream_bytes: int = 15 * 1024
    worker_bytes: int = 130 * 2**20
    task_bytes: int = 760
    """With indexes, after 30 % of the tasks were completed and 10 % deleted."""
    list_bytes: int = 200
    wal_bytes: int = 850
    """Of a write."""
    revocation_bytes: int = 150
    connections: int = 23
    """Of a worker."""
    database_bytes: int = 400 * GIB
    """What one server should hold, so that a restore takes hours and not days."""
    most_connections: int = 300
    """Of a server without a pooler."""


@frozen
class Need:
    """What a number of users needs."""

    users: int
    use: Assumptions = Assumptions()
    one: Measured = Measured()

    @property
    def per_second(self) -> float:
        """Requests in a second of the busiest hour."""
        return self.users * self.use.active * (self.use.reads + self.use.writes) * self.use.peak / DAY

    @property
    def writes_per_second(self) -> float:
        """Those of them that write."""
        return self.per_second * self.use.writes / (self.use.reads + self.use.writes)

    @property
    def streams(self) -> float:
        """Open event streams."""
        return self.users * self.use.active * self.use.streaming

    @property
    def workers(self) -> int:
        """For the requests or for the streams, whichever needs more, and one that may stop."""
        return 1 + max(ceil(self.per_second / self.one.requests), ceil(self.streams / self.one.streams))

    @property
    def worker_bytes(self) -> float:
        """Memory of a worker."""
        return (
            self.one.worker_bytes
            + self.streams / self.workers * self.one.stream_bytes
            + self.revocations * self.one.revocation_bytes
        )

    @property
    def connections(self) -> int:
        """Of all workers to the database."""
        return self.workers * self.one.connections

    @property
    def database_bytes(self) -> float:
        """Tasks and lists, with their indexes."""
        return self.users * (self.use.tasks * self.one.task_bytes + self.one.list_bytes)

    @property
    def log_bytes(self) -> float:
        """Write-ahead log of a day."""
        return self.users * self.use.active * self.use.writes * self.one.wal_bytes

    @property
    def revocations(self) -> float:
        """Living ones, which every worker holds in memory: as long as tokens, twice the leeway and five minutes."""
        return self.users * self.use.active * self.use.sign_outs * (self.use.token_lifetime + 360) / DAY

    @property
    def servers(self) -> int:
        """Database servers that hold the tasks."""
        return ceil(self.database_bytes / self.one.database_bytes)

    @property
    def step(self) -> str:
        """The first of the steps of docs/scaling.md that suffices."""
        if self.servers > 1:
            return "shards"
        return "pooler, perhaps a replica" if self.connections > self.one.most_connections else "one machine"


def rounded(number: float) -> str:
    """Two significant digits, thousands apart."""
    digits = 10 ** max(0, len(str(int(number))) - 2)
    return f"{round(number / digits) * digits:,}".replace(",", " ")


def table() -> str:
    """The table as Markdown."""
    needs = [Need(count * 1_000_000) for count in (1, 10, 50)]
    rows = {
        "requests a second, busiest hour": [rounded(need.per_second) for need in needs],
        "writes among them": [rounded(need.writes_per_second) for need in needs],
        "open event streams": [rounded(need.streams) for need in needs],
        "workers": [str(need.workers) for need in needs],
        "memory of a worker": [f"{rounded(need.worker_bytes / 2**20)} MiB" for need in needs],
        "connections of all workers": [rounded(need.connections) for need in needs],
        "database, with indexes": [f"{rounded(need.database_bytes / GIB)} GiB" for need in needs],
        "write-ahead log a day": [f"{rounded(max(1, need.log_bytes / GIB))} GiB" for need in needs],
        "living revocations, tokens of 15 minutes": [rounded(need.revocations) for need in needs],
        "database servers for tasks": [str(need.servers) for need in needs],
        "step": [need.step for need in needs],
    }
    weekly = [Need(need.users, Assumptions(token_lifetime=7 * DAY)) for need in needs]
    rows["living revocations, tokens of 7 days"] = [
        f"{rounded(need.revocations)}: {rounded(need.revocations * need.one.revocation_bytes / 2**20)} MiB a worker"
        for need in weekly
    ]
    head = ["users", *(f"{need.users // 1_000_000} million" for need in needs)]
    lines = [head, ["---"] * len(head), *([name, *values] for name, values in rows.items())]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    print(table())  # noqa: T201  (what it is for)
