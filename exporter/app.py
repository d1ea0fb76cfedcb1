"""The composition root of the daemon: builds everything, owns the one task group, and ends in order.

    watcher ─► journal ─► fold ◄─ clock          all in one event loop; nothing else changes the fold
    prober ──►──┘          └─► web server         reads only

A root task that ends unasked ends the process: half a watcher would tell half the truth. On SIGTERM and SIGINT it is
first unready, then stops watching, then stops serving. Not here: what happens in any of the parts.
"""

import asyncio
import contextlib
import gc
import logging
import signal
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Final

import msgspec

import exporter
from exporter import errors, fold, settings
from exporter.exposition import negotiation, own, process, registry
from exporter.journal.journal import Journal, Surroundings as JournalSurroundings
from exporter.journal.source import JournalSource
from exporter.kube import access
from exporter.kube.api import Api
from exporter.kube.clock import Clock
from exporter.kube.namespace import InstallNamespace
from exporter.kube.reflector import Surroundings
from exporter.kube.reviews import Reviewer
from exporter.kube.status import WatchStatus
from exporter.kube.watcher import Watcher
from exporter.model import resources
from exporter.model.changes import Change, Sync, TimePassed
from exporter.model.report import Report, Severity
from exporter.model.resources import Scope
from exporter.preflight import fetch
from exporter.preflight.standing import Standing
from exporter.probes import asking, table
from exporter.probes.prober import Prober
from exporter.probes.source import ProbesSource
from exporter.report import news
from exporter.web import auth, page, server, tls
from exporter.web.status import Status

STOP_SECONDS: Final = 9.0
"""For an orderly end; Kubernetes would wait longer, but a stuck end helps nobody."""
TICK: Final = 1.0
"""Seconds between looks at the clock. A deadline carries its own time: being late costs freshness and nothing else."""

_LOG: Final = logging.getLogger(__name__)


class Configuration(msgspec.Struct, frozen=True, kw_only=True):
    """All settings of the daemon."""

    core: settings.Settings
    cluster: settings.Cluster
    watching: settings.Watching
    serving: settings.Serving
    probing: settings.Probing = settings.Probing()
    journal: settings.Journal = settings.Journal()


class Daemon:
    """What the web server shows, from memory; and the clock of the fold."""

    def __init__(
        self,
        folded: fold.Fold,
        *,
        watched: Callable[[], Sequence[WatchStatus]],
        clock: Clock,
        stop: asyncio.Event,
        probes: ProbesSource | None = None,
        journal: Journal | None = None,
        preflight: Standing | None = None,
    ) -> None:
        """`watched` tells how well each resource is watched; once `stop` is set, we are not ready any more.

        Nor are we before the `journal`, where there is one, has told the fold what came before.
        """
        self._fold = folded
        self._watched = watched
        self._clock = clock
        self._stop = stop
        self._own = own.OwnSource(version=exporter.__version__, resources=watched)
        self._journal = journal
        kept = journal.source if journal is not None else JournalSource()
        checked = preflight or Standing(folded.view, now=clock.now)
        self._page = page_of(folded, self._own, probes or ProbesSource(), kept, checked)
        self._started_at = clock.now()
        self._ready = False
        self._told: Sequence[Report] | None = folded.reports(self._started_at) if journal is None else None

    async def tick(self) -> None:
        """Tell the fold when the time it waits for has come, and the log what is new, for ever."""
        while True:
            now = self._clock.now()
            while (due := self._fold.deadline()) is not None and due <= now:
                self._own.deadline_lag = now - due
                self._fold.feed(TimePassed(at=due))
            if self._told is None and self._journal is not None:
                self._told = self._journal.resumed
            if self._told is not None:
                if not self._ready and not missing(self._watched()):
                    self._become_ready(now)
                self._tell(self._told, self._fold.reports(now))
            await asyncio.sleep(TICK)

    def _become_ready(self, now: float) -> None:
        self._ready = True
        _LOG.info("ready", extra={"seconds": round(now - self._started_at, 1)})
        gc.collect()
        gc.freeze()  # what was listed lives as long as we do; later collections need not look at it

    def _tell(self, told: Sequence[Report], reports: Sequence[Report]) -> None:
        for event, severity, about in news.news(told, reports):
            _LOG.log(logging.INFO if severity is Severity.INFO else logging.WARNING, event, extra=about)
        self._told = reports

    def metrics(self, encoding: negotiation.Encoding) -> bytes:
        """The metrics page as of now."""
        began = self._clock.now()
        body = self._page.render(now=began, encoding=encoding)
        self._own.pages.observe(self._clock.now() - began)
        return body

    def reports(self) -> Sequence[Report]:
        """All sessions, oldest first."""
        return self._fold.reports(self._clock.now())

    def status(self) -> Status:
        """How we are doing."""
        return Status(
            version=exporter.__version__,
            now=self._clock.now(),
            started_at=self._started_at,
            ready=self._ready,
            stopping=self._stop.is_set(),
            resources=tuple(self._watched()),
        )


def page_of(
    folded: fold.Fold, own_source: own.OwnSource, probes: ProbesSource, journal: JournalSource, preflight: Standing
) -> registry.Registry:
    """The metrics page of the daemon: what the fold says, probes, preflight, journal, the exporter and its process."""
    sources = [*folded.sources(), probes, preflight, journal, own_source, process.ProcessSource()]
    return registry.Registry(sources, on_failure=_source_failed)


def missing(statuses: Sequence[WatchStatus]) -> list[str]:
    """The resources that are neither listed yet nor known to be forbidden or absent.

    Where KubeVirt is not installed there is no install namespace, and what would be looked for in it is not missing.
    """
    nowhere = any(
        status.resource == resources.KUBEVIRTS and status.sync is not Sync.UNKNOWN and not status.objects
        for status in statuses
    )
    return [
        status.resource
        for status in statuses
        if status.sync is Sync.UNKNOWN
        and not (nowhere and resources.BY_NAME[status.resource].scope is Scope.INSTALL_NAMESPACE)
    ]


async def run(configuration: Configuration, *, give_up: Callable[[], None]) -> None:
    """Watch and serve until SIGTERM or SIGINT. `give_up` ends the process at once, where an orderly end takes too long.

    Raises UsageError: there are no credentials, or the address cannot be listened on. Raises ExporterError: a part of
    the daemon broke; the log has the cause.
    """
    clock, stop = Clock(), asyncio.Event()
    certificate = _certificate(configuration.serving)
    expected = table.required(table.table(namespace=configuration.probing.namespace))

    def new_fold() -> fold.Fold:
        return fold.Fold(configuration.core, exporter_version=exporter.__version__, probes=expected)

    folded = new_fold()
    async with contextlib.AsyncExitStack() as stack:
        stack.enter_context(_signals(stop, give_up=give_up))
        credentials = await access.load(configuration.cluster)
        api = await stack.enter_async_context(Api(credentials, deadline=configuration.watching.request_deadline))
        namespace = InstallNamespace(configuration.cluster.namespace)
        journal = Journal(
            folded,
            new_fold,
            JournalSurroundings(api=api, namespace=namespace, clock=clock),
            limits=configuration.journal,
            most=configuration.core.reports,
        )

        async def ask(install_namespace: str) -> fetch.Beyond:
            return await fetch.beyond(api, install_namespace=install_namespace)

        preflight = Standing(folded.view, now=clock.now, ask=ask)

        def learn(change: Change) -> None:
            preflight.observe(change)
            journal.emit(change)

        watcher = Watcher(
            Surroundings(
                api=api,
                emit=learn,
                watching=configuration.watching,
                namespace=namespace,
                clock=clock,
            )
        )
        prober = Prober(
            await stack.enter_async_context(asking.own_api(credentials)),
            namespace=configuration.probing.namespace,
            eager=lambda: folded.active,
            emit=journal.emit,
            clock=clock,
        )
        daemon = Daemon(
            folded,
            watched=lambda: watcher.statuses,
            clock=clock,
            stop=stop,
            probes=prober.source,
            journal=journal,
            preflight=preflight,
        )
        await stack.enter_async_context(
            server.serving(
                daemon,
                page=page,
                address=configuration.serving.listen,
                certificate=certificate,
                gate=_gate(configuration.serving, api),
                texts={"/debug/probes": prober.page},
            )
        )
        _LOG.info("started", extra={"version": exporter.__version__, "server": credentials.server})
        roots: dict[str, Callable[[], Awaitable[None]]] = {
            "watcher": watcher.run,
            "prober": prober.run,
            "clock": daemon.tick,
            "journal": journal.run,
            "preflight": preflight.run,
        }
        await until(stop, roots)
        await journal.farewell()
    _LOG.info("stopped")


def _certificate(serving: settings.Serving) -> tls.Certificate | None:
    if not serving.tls_certificate and not serving.tls_key:
        return None
    if not serving.tls_certificate or not serving.tls_key:
        raise errors.UsageError("TLS needs both --tls-certificate and --tls-key")
    return tls.Certificate(serving.tls_certificate, serving.tls_key)


def _gate(serving: settings.Serving, api: Api) -> auth.Gate | None:
    if serving.auth == "none":
        return None
    if not serving.tls_certificate:
        _LOG.warning("tokens_in_the_clear", extra={"remedy": "--tls-certificate and --tls-key"})
    return auth.Gate(Reviewer(api))


async def until(stop: asyncio.Event, roots: Mapping[str, Callable[[], Awaitable[None]]]) -> None:
    """Run the root tasks until `stop` is set, then cancel them and wait for their end.

    Raises ExporterError: one of them failed, or ended by itself; the others are ended then, too.
    """
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(_for_ever(name, root), name=name) for name, root in roots.items()]
            await stop.wait()
            for task in tasks:
                task.cancel()
    except ExceptionGroup as failures:
        _LOG.exception("task_failed")
        raise errors.ExporterError("a part of the daemon broke; the log says which and why") from failures


async def _for_ever(name: str, root: Callable[[], Awaitable[None]]) -> None:
    await root()
    raise errors.ExporterError(f"task {name} has ended by itself")


@contextlib.contextmanager
def _signals(stop: asyncio.Event, *, give_up: Callable[[], None]) -> Iterator[None]:
    """SIGTERM and SIGINT set `stop`. An end that takes too long is cut short; so is one when a second signal comes."""
    loop = asyncio.get_running_loop()
    timers: list[asyncio.TimerHandle] = []
    wanted = (signal.SIGTERM, signal.SIGINT)

    def asked(number: signal.Signals) -> None:
        _LOG.info("stopping", extra={"signal": number.name})
        stop.set()
        timers.append(loop.call_later(STOP_SECONDS, give_up))
        for each in wanted:
            loop.remove_signal_handler(each)

    for number in wanted:
        loop.add_signal_handler(number, asked, number)
    try:
        yield
    finally:
        for timer in timers:
            timer.cancel()
        for number in wanted:
            loop.remove_signal_handler(number)


def _source_failed(source: str, error: Exception) -> None:
    _LOG.error("source_failed", extra={"source": source}, exc_info=error)
