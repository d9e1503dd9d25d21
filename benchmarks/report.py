"""Results as a table, as a plot, and in the documentation."""

import json
from pathlib import Path
from statistics import median
from typing import Any, Final

import pygal  # type: ignore[import-untyped]
from pygal.style import CleanStyle  # type: ignore[import-untyped]

from benchmarks.compare import CEILING, GUIDE, MAX_MEMORY, MAX_TAIL, OURS, TARGETS, ratios
from benchmarks.load import OPERATIONS

ROOT: Final = Path(__file__).parents[1]
RESULTS: Final = ROOT / "benchmarks" / "results"
DOCUMENT: Final = ROOT / "docs" / "performance.md"
PLOT: Final = ROOT / "docs" / "images" / "performance.svg"
BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def save(name: str, found: dict[str, Any]) -> Path:
    """Save a result as JSON."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(found, indent=1) + "\n")
    return path


def load(name: str) -> dict[str, Any]:
    """The latest result of that name."""
    found: dict[str, Any] = json.loads((RESULTS / f"{name}.json").read_text())
    return found


def table(found: dict[str, Any]) -> str:
    """Throughput as multiples of the guide's stack with their spread, CPU time, latency and memory."""
    names = ["server", *OPERATIONS.values(), "CPU of each, µs", "p50 and p99 of get, half load", "memory"]
    lines = [f"| {' | '.join(names)} |", "|---" * len(names) + "|"]
    for name, server in found["servers"].items():
        cells = [_spread(ratios(found, name, operation, GUIDE)) for operation in OPERATIONS]
        each = [median(run["cpu_per_request"] for run in server["runs"][operation]) for operation in OPERATIONS]
        cpu = ", ".join(f"{seconds * 1e6:.0f}" for seconds in each)
        p50, p99 = (median(run[quantile] for run in server["half"]) * 1000 for quantile in ("p50", "p99"))
        times = f"{p50:.1f} and {p99:.1f} ms"
        lines.append(f"| {name} | {' | '.join(cells)} | {cpu} | {times} | {server['memory_mib']:.0f} MiB |")
    return "\n".join(lines)


def targets(found: dict[str, Any]) -> str:
    """The targets and whether they are met."""
    lines = ["| target | measured | met |", "|---|---|---|"]
    for one, operation, other, least in TARGETS:
        spread = ratios(found, one, operation, other)
        is_met = "yes" if median(spread) >= least else "no"
        lines.append(f"| {operation}: at least {least:g} times {other} | {_spread(spread, 2)} | {is_met} |")
    ours = found["servers"][OURS]
    tails = [run["p99"] * 1000 for run in ours["half"]]
    is_met = "yes" if median(tails) <= MAX_TAIL else "no"
    lines.append(f"| get at half load: p99 at most {MAX_TAIL:g} ms | {_spread(tails)} | {is_met} |")
    is_met = "yes" if ours["memory_mib"] <= MAX_MEMORY else "no"
    lines.append(f"| memory: at most {MAX_MEMORY} MiB | {ours['memory_mib']:.0f} | {is_met} |")
    return "\n".join(lines)


def _spread(values: list[float], digits: int = 1) -> str:
    return f"{median(values):.{digits}f} ({min(values):.1f}-{max(values):.1f})"


def plot(found: dict[str, Any]) -> None:
    """Plot the multiples of the guide's stack."""
    chart = pygal.HorizontalBar(
        style=CleanStyle, width=900, height=520, print_values=True, js=[], show_x_guides=True, no_prefix=True
    )
    chart.title = "Requests per second, as a multiple of the guide's stack (one core)"
    names = [name for name in found["servers"] if name != CEILING]
    chart.x_labels = list(OPERATIONS.values())
    chart.value_formatter = lambda value: f"{value:.1f}"
    for name in names:
        chart.add(name, [median(ratios(found, name, operation, GUIDE)) for operation in OPERATIONS])
    PLOT.write_bytes(chart.render())


def write_document(found: dict[str, Any], more: str) -> None:
    """Write the tables between the markers in docs/performance.md, and the plot."""
    plot(found)
    text = DOCUMENT.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    known = ", ".join(f"{name} {version}" for name, version in found["versions"].items())
    body = f"{table(found)}\n\n{targets(found)}\n\nWith {known}.\n{more}"
    DOCUMENT.write_text(f"{before}{BEGIN}\n\n{body}\n{END}{after}")
