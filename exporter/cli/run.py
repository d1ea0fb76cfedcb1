"""`run`: the daemon."""

import asyncio
import os
from typing import Any

import click

from exporter import app, settings
from exporter.cli import exits, groups, logs, options


@groups.as_options(
    settings.Serving,
    settings.Cluster,
    settings.Probing,
    settings.Journal,
    settings.Logging,
    settings.Settings,
    settings.Watching,
)
@click.command("run", cls=options.SettingsCommand)
def command(**parameters: Any) -> exits.Exit:  # noqa: ANN401 - the groups' fields
    """Watch the cluster and serve metrics, reports and the status page.

    Ends with 0 on SIGTERM or Ctrl-C.
    """
    logs.set_up(groups.build(settings.Logging, parameters))
    configuration = app.Configuration(
        core=groups.build(settings.Settings, parameters),
        cluster=groups.build(settings.Cluster, parameters),
        watching=groups.build(settings.Watching, parameters),
        probing=groups.build(settings.Probing, parameters),
        journal=groups.build(settings.Journal, parameters),
        serving=groups.build(settings.Serving, parameters),
    )
    asyncio.run(app.run(configuration, give_up=lambda: os._exit(exits.Exit.ERROR)))
    return exits.Exit.OK
