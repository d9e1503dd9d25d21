"""`python -m benchmarks`: what to measure, and for how long."""

import json
import sys

import click

from benchmarks import report
from benchmarks.compare import compare
from benchmarks.floods import floods, summary
from benchmarks.growth import growth
from benchmarks.instructions import instructions
from benchmarks.machine import LOAD_CORES, awake, keep_to, need, versions
from benchmarks.trust import revocation, soak
from benchmarks.verdicts import verdicts


@click.group(invoke_without_command=True)
@click.pass_context
def main(context: click.Context) -> None:
    """Measure the service: beside its peers unless something else is asked for."""
    need("wrk", "wrk")
    keep_to(LOAD_CORES)  # and with it all that it starts, but for the servers
    context.with_resource(awake())
    if context.invoked_subcommand is None:
        context.invoke(peers)


@main.command()
@click.option("--seconds", default=4.0, show_default=True, help="Of each run.")
@click.option("--rounds", default=8, show_default=True, help="How often each is measured; servers take queue.")
def peers(seconds: float, rounds: int) -> None:
    """Compare with the guide's stack, Fastify, and the framework alone."""
    found = compare(seconds, rounds)
    path = report.save("peers", found)
    click.echo(f"{report.table(found)}\n\n{report.targets(found)}\n\nIn {path}.")


@main.command(name="growth")
@click.option("--minutes", default=1.0, show_default=True, help="Of mixed load, for the memory.")
def growth_command(minutes: float) -> None:
    """See whether it stays as fast when there is more."""
    found = growth(minutes)
    _tell("growth", found)
    click.echo(f"\n{verdicts(found)}")


@main.command(name="floods")
@click.option("--seconds", default=3.0, show_default=True, help="Of each run.")
@click.option("--rounds", default=5, show_default=True, help="How often each is measured, alone and beside a flood.")
def floods_command(seconds: float, rounds: int) -> None:
    """See what good requests get while others do their worst."""
    found = floods(seconds, rounds)
    path = report.save("floods", {"versions": versions(), "floods": found})
    click.echo(f"{summary(found)}\n\nIn {path}.")


@main.command(name="instructions")
@click.option("--seconds", default=15.0, show_default=True, help="Of each run.")
def instructions_command(seconds: float) -> None:
    """Count what the processor does for a request: for machines whose clock says little."""
    _tell("instructions", {"instructions": instructions(seconds)})


@main.command(name="revocation")
@click.option("--events", default=200, show_default=True)
def revocation_command(events: int) -> None:
    """See how soon a revoked session is dead on every worker."""
    _tell("revocation", revocation(events))


@main.command(name="soak")
@click.option("--minutes", default=10.0, show_default=True)
def soak_command(minutes: float) -> None:
    """Mix good and hostile traffic, and look for every acknowledged write afterwards."""
    found = soak(minutes)
    _tell("soak", found)
    failed = {status for status in found["statuses"] if int(status) >= 500 and status != "503"}
    if failed or found["missing"]:
        sys.exit(f"{failed or 'no'} failures, {found['missing']} writes are missing")


@main.command()
def docs() -> None:
    """Write the newest comparison into docs/performance.md."""
    report.write_document(report.load("peers"), "")


def _tell(name: str, found: dict[str, object]) -> None:
    report.save(name, {"versions": versions(), **found})
    click.echo(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
