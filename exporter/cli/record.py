"""`record`: writes what a watcher sees of the cluster, to be replayed elsewhere."""

import asyncio
import contextlib
import logging
import pathlib
import signal
from typing import Any, Final

import click
import msgspec

from exporter import errors, settings
from exporter.cli import exits, groups, logs, options
from exporter.kube import access
from exporter.kube.api import Api
from exporter.kube.clock import Clock
from exporter.kube.kinds import quantity
from exporter.kube.namespace import InstallNamespace
from exporter.kube.reflector import Surroundings
from exporter.kube.watcher import Watcher
from exporter.probes import asking
from exporter.probes.prober import Prober
from exporter.recording.recorder import WATCHED, Recorder
from exporter.recording.writer import Writer

FLUSH: Final = 1.0
"""Seconds between flushes: what a crash may cost."""

_LOG: Final = logging.getLogger(__name__)


class Size(click.ParamType[float]):
    """Bytes, as Kubernetes writes them."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401
        """Bytes, or click's complaint."""
        size = quantity.read(str(value))
        if size is None or size < 1:
            self.fail(f"{value!r} is not a size such as 500Mi", param, ctx)
        return size


class _Limits(msgspec.Struct, frozen=True, kw_only=True):
    size: float
    seconds: float | None


@groups.as_options(settings.Cluster, settings.Probing, settings.Logging, settings.Watching)
@click.command("record", cls=options.SettingsCommand)
@click.option(
    "--output-file",
    "-o",
    cls=options.Setting,
    type=click.Path(path_type=pathlib.Path),
    metavar="FILE",
    help="File to write, such as upgrade.jsonl.gz; it must not be there yet.",
)
@click.option(
    "--max-size",
    cls=options.Setting,
    type=Size(),
    metavar="SIZE",
    default="1Gi",
    help="Stop when the file is as large as this. An upgrade of 20 guests takes about 1Mi.",
)
@click.option(
    "--duration",
    cls=options.Setting,
    type=groups.Quantity(whole=False, least=1, most=None),
    metavar="SECONDS",
    help="Stop after this time; left out: when you say so with Ctrl-C or SIGTERM.",
)
@click.option("--probes", cls=options.Setting, is_flag=True, help="Probe KubeVirt's API once a second, too.")
def command(
    output_file: pathlib.Path | None,
    max_size: float,
    duration: float | None,
    *,
    probes: bool,
    **parameters: Any,  # noqa: ANN401 - the groups' fields
) -> exits.Exit:
    """Write what a watcher sees of the cluster, until Ctrl-C.

    The file holds the objects that the daemon watches, as they are. It holds no Secrets, no ConfigMaps, no schemas, and
    no first-boot data of guests. It is whole up to the last seconds even if this is killed. `replay` reads it.
    """
    logs.set_up(groups.build(settings.Logging, parameters))
    if output_file is None:
        raise errors.UsageError("-o FILE is missing: where to write to")
    asyncio.run(
        _record(
            output_file,
            cluster=groups.build(settings.Cluster, parameters),
            watching=groups.build(settings.Watching, parameters),
            probing_=groups.build(settings.Probing, parameters) if probes else None,
            limits=_Limits(size=max_size, seconds=duration),
        )
    )
    return exits.Exit.OK


async def _record(
    path: pathlib.Path,
    *,
    cluster: settings.Cluster,
    watching: settings.Watching,
    probing_: settings.Probing | None,
    limits: _Limits,
) -> None:
    """Raises UsageError: there are no credentials, or the file cannot be made."""
    clock, stop = Clock(), asyncio.Event()
    async with contextlib.AsyncExitStack() as stack:
        credentials = await access.load(cluster)
        api = await stack.enter_async_context(Api(credentials, deadline=watching.request_deadline))
        writer = stack.enter_context(Writer(path, started=clock.now(), limit=limits.size))
        recorder = Recorder(writer)
        _stop_on_signals(stop)
        surroundings = Surroundings(
            api=api,
            emit=lambda _: None,
            watching=watching,
            namespace=InstallNamespace(cluster.namespace),
            tap=recorder,
            clock=clock,
        )
        roots = {"watcher": Watcher(surroundings, specs=WATCHED).run}
        if probing_ is not None:
            prober = Prober(
                await stack.enter_async_context(asking.own_api(credentials)),
                namespace=probing_.namespace,
                eager=lambda: True,
                emit=recorder.probed,
                clock=clock,
            )
            roots["prober"] = prober.run
        _LOG.info("recording", extra={"file": str(path), "server": credentials.server})
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(root(), name=name) for name, root in roots.items()]
            why = await _until(stop, writer, clock, limits)
            for task in tasks:
                task.cancel()
        recorder.mark(f"recording ended: {why}", at=clock.now())
    if writer.trouble:
        raise errors.ExporterError(f"{path}: {writer.trouble}; what was written before can be replayed")
    _LOG.info("recorded", extra={"file": str(path), "why": why, "lines": writer.lines, "bytes": writer.size})


async def _until(stop: asyncio.Event, writer: Writer, clock: Clock, limits: _Limits) -> str:
    """Flush until it is time to stop; why it is."""
    end = None if limits.seconds is None else clock.now() + limits.seconds
    while True:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FLUSH):
                await stop.wait()
        writer.flush()
        if stop.is_set():
            return "asked to"
        if writer.trouble:
            return f"the file cannot be written: {writer.trouble}"
        if writer.full:
            _LOG.warning("recording_full", extra={"bytes": writer.size, "remedy": "--max-size"})
            return f"the file has reached {writer.size} bytes (--max-size)"
        if end is not None and clock.now() >= end:
            return "its time is over (--duration)"


def _stop_on_signals(stop: asyncio.Event) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
