"""The command line: `python -m benchmarks`."""

import json
import sys
from collections.abc import Callable
from typing import Final

import click

from benchmarks import attacks_connections, attacks_revocations, attacks_search, attacks_tokens, report
from benchmarks.compare import compare
from benchmarks.crashes import FAULTS, crashes
from benchmarks.deployments import deployments
from benchmarks.floods import floods, summary
from benchmarks.growth import growth
from benchmarks.instructions import instructions
from benchmarks.isolation import isolation
from benchmarks.machine import LOAD_CORES, awake, keep_to, need, versions
from benchmarks.shapes import shapes
from benchmarks.soak import soak
from benchmarks.steps import exceeded, files, files_report, steps
from benchmarks.streams import streams, table
from benchmarks.trust import revocation
from benchmarks.verdicts import verdicts

UNTIMED = {"steps", "files", "docs", "isolation", "deployments", "crashes"}
"""Commands that need no load generator and no idle machine."""


@click.group(invoke_without_command=True)
@click.pass_context
def main(context: click.Context) -> None:
    """Measure the service: beside its peers unless another command is given."""
    if context.invoked_subcommand in UNTIMED:
        return
    need("wrk", "wrk")
    keep_to(LOAD_CORES)  # also for child processes; servers are pinned to their own core
    context.with_resource(awake())
    if context.invoked_subcommand is None:
        context.invoke(peers)


@main.command()
@click.option("--seconds", default=4.0, show_default=True, help="Of each run.")
@click.option("--rounds", default=8, show_default=True, help="How often each is measured; the servers take turns.")
def peers(seconds: float, rounds: int) -> None:
    """Compare with the guide's stack, Fastify, and the framework alone."""
    found = compare(seconds, rounds)
    path = report.save("peers", found)
    click.echo(f"{report.table(found)}\n\n{report.targets(found)}\n\nIn {path}.")


@main.command(name="growth")
@click.option("--minutes", default=1.0, show_default=True, help="Of mixed load, to measure memory.")
def growth_command(minutes: float) -> None:
    """Measure with growing lists, numbers of users and time."""
    found = growth(minutes)
    _report("growth", found)
    click.echo(f"\n{verdicts(found)}")


@main.command(name="floods")
@click.option("--seconds", default=3.0, show_default=True, help="Of each run.")
@click.option("--rounds", default=5, show_default=True, help="How often each is measured, alone and beside a flood.")
def floods_command(seconds: float, rounds: int) -> None:
    """Measure good requests beside floods of bad ones."""
    found = floods(seconds, rounds)
    path = report.save("floods", {"versions": versions(), "floods": found})
    click.echo(f"{summary(found)}\n\nIn {path}.")


@main.command(name="instructions")
@click.option("--seconds", default=15.0, show_default=True, help="Of each run.")
def instructions_command(seconds: float) -> None:
    """Count the processor's instructions for a request: for busy machines, where times say little."""
    _report("instructions", {"instructions": instructions(seconds)})


@main.command(name="revocation")
@click.option("--events", default=200, show_default=True)
def revocation_command(events: int) -> None:
    """Measure how soon a revoked session is rejected by every worker."""
    _report("revocation", revocation(events))


@main.command(name="soak")
@click.option("--minutes", default=10.0, show_default=True)
def soak_command(minutes: float) -> None:
    """Mix good and hostile traffic, then check that every acknowledged write is stored."""
    found = soak(minutes)
    _report("soak", found)
    failed = {status for status in found["statuses"] if int(status) >= 500 and status != "503"}
    if failed or found["missing"] or found["tasks left in them"]:
        sys.exit(
            f"{failed or 'no'} failures, {found['missing']} writes are missing,"
            f" {found['tasks left in them']} tasks are left of purged accounts"
        )


@main.command(name="shapes")
@click.option("--seconds", default=4.0, show_default=True, help="Of each run.")
@click.option("--rounds", default=4, show_default=True, help="How often each is measured; the servers take turns.")
def shapes_command(seconds: float, rounds: int) -> None:
    """Measure with 1 to 128 connections, beside long pages, and with creates on a real disk."""
    _report("shapes", {"shapes": shapes(seconds, rounds)})


@main.command(name="streams")
@click.option("--count", default=10_000, show_default=True, help="Streams on one worker.")
@click.option("--rounds", default=3, show_default=True, help="How often gets are measured, alone and beside streams.")
@click.option("--seconds", default=15.0, show_default=True, help="Of each run; an idle stream asks every 15.")
def streams_command(count: int, rounds: int, seconds: float) -> None:
    """Measure event streams: memory, requests beside them, delays, slow readers, and all coming back at once."""
    found = streams(count, rounds, seconds)
    _report("streams", found)
    click.echo(f"\n{table(found)}")


@main.command(name="isolation")
@click.option("--operations", default=20_000, show_default=True, help="With the owner filter, and as many without it.")
def isolation_command(operations: int) -> None:
    """Cancel askers and kill server processes, and look for answers and rows of others and for lost writes."""
    _report("isolation", isolation(operations))


@main.command(name="crashes")
@click.option("--rounds", default=1000, show_default=True, help="In each, a worker or a database connection is killed.")
@click.option("--minutes", default=60.0, show_default=True, help="At most.")
def crashes_command(rounds: int, minutes: float) -> None:
    """Kill workers and database connections under writes, and look for lost writes and for readers that are misled."""
    found = crashes(rounds, minutes)
    _report("crashes", found)
    if any(found[fault] for fault in FAULTS):
        sys.exit("something was lost or doubled")


@main.command(name="steps")
@click.option("--renew", is_flag=True, help="Keep the new numbers in benchmarks/steps.json.")
def steps_command(*, renew: bool) -> None:
    """Count the function calls of a request; fail if one takes a tenth more than the kept number."""
    found = steps(renew=renew)
    click.echo(json.dumps(found, indent=1))
    if not renew and (more := exceeded(found)):
        sys.exit(f"more calls than before: {', '.join(more)}")


@main.command(name="files")
def files_command() -> None:
    """Count the source files that a GET of a task and a PATCH .../complete pass."""
    click.echo(files_report(files()))


ATTACKS: Final[dict[str, Callable[[], dict[str, str]]]] = {
    "connections": attacks_connections.attack,
    "revocations": attacks_revocations.attack,
    "search": attacks_search.attack,
    "tokens": attacks_tokens.attack,
}


@main.command(name="attacks")
@click.argument("names", nargs=-1, type=click.Choice(sorted(ATTACKS)))
def attacks_command(names: tuple[str, ...]) -> None:
    """Attack the service at full size; docs/security.md has the results."""
    _report("attacks", {name: ATTACKS[name]() for name in names or sorted(ATTACKS)})


@main.command(name="deployments")
@click.option("--with-frontend", is_flag=True, help="The built frontend, too.")
def deployments_command(*, with_frontend: bool) -> None:
    """Run the tests of deployments with every PostgreSQL that is installed."""
    _report("deployments", {"deployments": deployments(with_frontend=with_frontend)})


@main.command()
def docs() -> None:
    """Write the latest comparison into docs/performance.md."""
    report.write_document(report.load("peers"), "")


def _report(name: str, found: dict[str, object]) -> None:
    report.save(name, {"versions": versions(), **found})
    click.echo(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
