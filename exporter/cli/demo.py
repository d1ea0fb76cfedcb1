"""`demo`: a simulated upgrade, and the exporter watching it."""

import asyncio
import os
import pathlib
import socket
import sys
from typing import Final

import click

import exporter
from exporter import errors
from exporter.cli import exits, groups, options

_GUESTS: Final = 60
"""In scenarios that are named; a file says itself how many."""


@click.command("demo", cls=options.SettingsCommand)
@click.option(
    "--scenario",
    cls=options.Setting,
    metavar="NAME",
    default="clean",
    help="What happens: a scenario's name or the path of a YAML file; `list` names them all.",
)
@click.option(
    "--speed",
    cls=options.Setting,
    type=groups.Quantity(whole=False, least=0.1, most=100),
    metavar="NUMBER",
    default=1.0,
    help="How fast: at 1 an upgrade of 60 guests takes about three minutes. Leases keep their own time, and so do"
    " watches that are cut: far above 5, things happen which nobody can see.",
)
@click.option(
    "--once", cls=options.Setting, is_flag=True, help="End when the scenario is over, and do not wait for Ctrl-C."
)
@click.option(
    "--port",
    cls=options.Setting,
    type=groups.Quantity(whole=True, least=0, most=65535),
    metavar="NUMBER",
    default=0,
    help="Port of the exporter on loopback; 0 takes a free one.",
)
def command(scenario: str, speed: float, port: int, *, once: bool) -> exits.Exit:
    """Watch a simulated upgrade: live here, and on the status page in a browser.

    Starts a simulated cluster and the exporter against it, and Prometheus and Alertmanager where they are installed.
    Everything listens on loopback only. Ctrl-C ends all of it.
    """
    # Imported here: whoever asks for another command need not load it.
    from rich.console import Console  # noqa: PLC0415

    from exporter import sim  # noqa: PLC0415
    from exporter.cli import tables  # noqa: PLC0415
    from exporter.demo import stage, terminal  # noqa: PLC0415

    if scenario == "list":
        for name in sim.names():
            click.echo(f"{name:22} {sim.load(name).about}")
        return exits.Exit.OK
    try:
        story = sim.load(scenario, guests=None if pathlib.Path(scenario).suffix else _GUESTS)
    except sim.ScenarioError as error:
        raise errors.UsageError(str(error)) from error
    _check_free(int(port))
    plan = stage.Plan(
        scenario=story,
        speed=speed,
        once=once,
        port=int(port),
        rules=sorted(pathlib.Path(exporter.__file__).parents[1].glob("alerts/rules/*.yaml")),
        environment={name: value for name, value in os.environ.items() if not name.startswith(options.ENVIRONMENT)},
    )
    with terminal.screen(Console(markup=False, highlight=False, emoji=False), story) as screen:
        reports = asyncio.run(stage.play(plan, screen))
    tables.show(reports, sys.stdout)
    return exits.Exit.OK


def _check_free(port: int) -> None:
    """Before anything is started. Raises UsageError: somebody listens there, or we may not."""
    try:
        socket.create_server(("127.0.0.1", port)).close()
    except OSError as error:
        raise errors.UsageError(f"--port {port}: {os.strerror(error.errno or 0)}") from error
