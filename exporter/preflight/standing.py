"""Preflight as the daemon runs it: every few minutes, for the next minor release, published as metrics.

It looks at what the daemon's watches have put into the tracker and into its own tables, and asks the API server only
for what no watch tells: its version, and what pods of others request.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import Final, NoReturn

from exporter.model import findings as found, versions
from exporter.model.changes import Change
from exporter.model.families import Family, Kind, Sample
from exporter.model.findings import Answer, Finding, State
from exporter.preflight import runner
from exporter.preflight.checks import CHECKS
from exporter.preflight.fetch import Beyond
from exporter.preflight.tables import Tables
from exporter.preflight.world import Question, World
from exporter.tracker.tracker import View

INTERVAL: Final = 300.0
"""Seconds between runs."""
FIRST: Final = 5.0
"""Seconds between looks whether everything has been listed, before the first run."""

_ANSWERS: Final = {Answer.YES: "go", Answer.NO: "no_go", Answer.CANNOT_TELL: "cannot_tell"}
_NOBODY: Final = Beyond(others="nobody is there to ask for the pods of others", server="")

CHECK: Final = Family(
    name="preflight_check", kind=Kind.STATESET, labels=("check", "state"), states=tuple(State),
    help="What each check of the preflight for the next minor release found last; run every 5 minutes.",
)  # fmt: skip
ANSWER: Final = Family(
    name="preflight_answer", kind=Kind.STATESET, labels=("answer",), states=tuple(_ANSWERS.values()),
    help="What the preflight for the next minor release comes to: go, no_go where a check fails, else cannot_tell where"
    " one is unknown.",
)  # fmt: skip
TARGET: Final = Family(
    name="preflight_target", kind=Kind.INFO, labels=("release",), help="The minor release that the preflight is for.",
)  # fmt: skip
LAST: Final = Family(
    name="preflight_last_run_timestamp_seconds", kind=Kind.GAUGE, help="When the preflight last ran to its end.",
)  # fmt: skip

_LOG: Final = logging.getLogger(__name__)


class Standing:
    """The findings of the last run, as a source of metrics. Feed it the fold's changes with `observe`."""

    name = "preflight"
    families: tuple[Family, ...] = (CHECK, ANSWER, TARGET, LAST)

    def __init__(
        self, view: View, *, now: Callable[[], float], ask: Callable[[str], Awaitable[Beyond]] | None = None
    ) -> None:
        """`now` gives Unix seconds; `ask` reads what no watch tells, for the install namespace it is given."""
        self._view = view
        self._now = now
        self._ask = ask
        self._tables = Tables()
        self._findings: tuple[Finding, ...] = ()
        self._release = ""
        self._ran_at: float | None = None

    def observe(self, change: Change) -> None:
        """Take in a change that the fold has taken in."""
        self._tables.observe(change)

    async def run(self) -> NoReturn:
        """Check for ever; the first time as soon as everything that decides is listed."""
        while True:
            ready = self._view.sync.ready
            if ready:
                try:
                    await self.check()
                except Exception:  # noqa: BLE001 - the boundary around a run
                    _LOG.exception("preflight_failed")  # the page shows when it last worked
            await asyncio.sleep(INTERVAL if ready else FIRST)

    async def check(self) -> None:
        """Run all checks once; others get their turn between any two."""
        world = self._world(await self._beyond())
        results: list[Finding] = []
        for name in CHECKS:
            results += self._one(name, world)
            await asyncio.sleep(0)
        self._findings, self._release, self._ran_at = tuple(results), world.target, world.now

    def _one(self, name: str, world: World) -> list[Finding]:
        """The findings of a check. One that breaks costs only itself."""
        try:
            return list(runner.one(name, world))
        except Exception as error:  # noqa: BLE001 - the boundary around a check
            _LOG.exception("preflight_check_failed", extra={"check": name})
            return [Finding(check=name, state=State.UNKNOWN, summary=f"the check broke: {error!r}")]

    async def _beyond(self) -> Beyond:
        kubevirt = self._view.kubevirt
        return _NOBODY if self._ask is None or kubevirt is None else await self._ask(kubevirt.namespace)

    def _world(self, beyond: Beyond) -> World:
        kubevirt = self._view.kubevirt
        parsed = versions.parse(kubevirt.observed_version) if kubevirt is not None else None
        target = "" if parsed is None else f"{parsed.major}.{parsed.minor + 1}"
        question = Question(target=target, now=self._now())
        return World(question, self._view, self._tables, others=beyond.others, server=beyond.server)

    def samples(self, now: float) -> Iterator[Sample]:
        """Of the last run; nothing before the first."""
        if self._ran_at is None:
            return
        for name in CHECKS:
            worst = found.worst(finding for finding in self._findings if finding.check == name)
            yield from CHECK.state(worst, check=name)
        yield from ANSWER.state(_ANSWERS[found.answer(self._findings)])
        if self._release:
            yield TARGET(1, release=self._release)
        yield LAST(self._ran_at)
