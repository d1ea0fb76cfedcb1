"""`replay`: what a recorded upgrade comes to."""

import logging
import pathlib
import sys
from typing import Any, Final

import click

import exporter
from exporter import fold, settings
from exporter.cli import exits, groups, logs, options, tables
from exporter.exposition import history, registry
from exporter.recording import quiet, reader, replay
from exporter.report import encode

_LOG: Final = logging.getLogger(__name__)


@groups.as_options(settings.Settings, settings.Logging)
@click.command("replay", cls=options.SettingsCommand)
@click.argument("file", type=click.Path(path_type=pathlib.Path))
@click.option(
    "--output",
    cls=options.Setting,
    type=click.Choice(["table", "json", "metrics", "openmetrics"]),
    default="table",
    help="A summary for people, the reports as a JSON list, the metrics page as of the end, or the pages of the whole"
    " time, for `promtool tsdb create-blocks-from openmetrics`.",
)
@click.option(
    "--step",
    cls=options.Setting,
    type=groups.Quantity(whole=False, least=0.1, most=None),
    metavar="SECONDS",
    default=15.0,
    help="Time between the pages of `--output openmetrics`.",
)
@click.option(
    "--at",
    cls=options.Setting,
    type=groups.Quantity(whole=False, least=0, most=None),
    metavar="SECONDS",
    help="Stop this many seconds after the recording's start, and show what was known then.",
)
@click.option(
    "--assume-quiet-until-settled",
    cls=options.Setting,
    is_flag=True,
    help="Go on after the end until the session is over, as if leaders had led on and nothing else had happened.",
)
def command(
    file: pathlib.Path,
    output: str,
    step: float,
    at: float | None,
    *,
    assume_quiet_until_settled: bool,
    **parameters: Any,  # noqa: ANN401 - the groups' fields
) -> exits.Exit:
    """Fold the recording FILE and show the sessions in it.

    No time is added beyond the recording's end. The same recording gives the same bytes each time, and any verdict the
    exit code 0.
    """
    logs.set_up(groups.build(settings.Logging, parameters))
    folded = fold.Fold(groups.build(settings.Settings, parameters), exporter_version=exporter.__version__)
    with reader.Recording(file) as recording:
        pages = history.History(
            folded, version=exporter.__version__, started=recording.started, step=step, on_failure=_failed
        )
        target = pages if output == "openmetrics" else folded
        now = replay.replay(recording, target, at=at, quiet=quiet.Quiet() if assume_quiet_until_settled else None)
    for note in recording.notes:
        _LOG.warning("recording_note", extra={"note": note})
    match output:
        case "json":
            sys.stdout.buffer.write(encode.as_json(folded.reports(now), indent=2))
        case "metrics":
            page = registry.Registry(folded.sources(), on_failure=_failed)
            sys.stdout.buffer.write(page.render(now=now))
        case "openmetrics":
            pages.end(now)
            sys.stdout.buffer.writelines(pages.text())
        case _:
            tables.show(folded.reports(now), sys.stdout)
    return exits.Exit.OK


def _failed(source: str, error: Exception) -> None:
    _LOG.error("source_failed", extra={"source": source}, exc_info=error)
