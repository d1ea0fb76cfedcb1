"""Discrete events: processes are generators that yield what they wait for, and time jumps from one event to the next.

A process yields seconds (shortened by the pace), `Steady` seconds (not shortened: leases and clocks of Kubernetes), a
`Signal` (until it fires next) or a `Task` (until it is over). Everything happens in one thread in an order that only
depends on what was scheduled; no clock is read and no random number drawn here.
"""

from __future__ import annotations

import heapq
import itertools
import logging
from collections.abc import Generator
from dataclasses import dataclass, field

from exporter.sim.refusals import Refusal

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Steady:
    """Seconds that the pace does not shorten."""

    seconds: float


class Signal:
    """Something that happens from time to time; who waits is woken once."""

    def __init__(self) -> None:
        self._waiting: list[Task] = []

    def add(self, task: Task) -> None:
        self._waiting.append(task)

    def take(self) -> list[Task]:
        waiting, self._waiting = self._waiting, []
        return waiting


@dataclass(slots=True, eq=False)
class Task:
    """A running process."""

    name: str
    process: Process
    outside: bool = False  # an observer of the world, not part of it: does not stand still with it
    over: bool = False
    ended: Signal = field(default_factory=Signal)
    turn: int = 0  # grows whenever the task is scheduled; older entries of the calendar are void


Wait = float | Steady | Signal | Task
Process = Generator[Wait, None, None]


class Engine:
    """The calendar. `now` is simulated time in seconds since the epoch; `pace` divides what processes wait for."""

    def __init__(self, *, start: float, pace: float = 1.0) -> None:
        self.start = start
        self.now = start
        self.pace = pace
        self.tolerant = False  # a process that is refused something ends, and the world goes on
        self._calendar: list[tuple[float, int, Task, int]] = []
        self._numbers = itertools.count()

    def spawn(self, process: Process, *, name: str, outside: bool = False) -> Task:
        """Start a process at the present time, after what is already due."""
        task = Task(name=name, process=process, outside=outside)
        self._schedule(task, self.now)
        return task

    def cancel(self, task: Task) -> None:
        """End a process where it waits."""
        if not task.over:
            task.process.close()
            self._finish(task)

    def fire(self, signal: Signal) -> None:
        for task in signal.take():
            if not task.over:
                self._schedule(task, self.now)

    def advance(self, seconds: float) -> None:
        self.advance_to(self.now + seconds)

    def advance_to(self, moment: float) -> None:
        """Do everything that is due until `moment`, and stop there."""
        while self._calendar and self._calendar[0][0] <= moment:
            at, _, task, turn = heapq.heappop(self._calendar)
            if task.over or turn != task.turn:
                continue
            self.now = max(self.now, at)
            self._resume(task)
        self.now = max(self.now, moment)

    def shift(self, seconds: float) -> None:
        """Put off everything that is scheduled: the world stands still for a while."""
        self._calendar = [
            (at if task.outside else at + seconds, number, task, turn) for at, number, task, turn in self._calendar
        ]
        heapq.heapify(self._calendar)

    @property
    def next_due(self) -> float | None:
        return self._calendar[0][0] if self._calendar else None

    def _resume(self, task: Task) -> None:
        try:
            wait = next(task.process)
        except StopIteration:
            self._finish(task)
            return
        except Refusal as refusal:
            if not self.tolerant:
                raise
            _log.warning("%s ends: %s", task.name, refusal)
            self._finish(task)
            return
        match wait:
            case Steady(seconds):
                self._schedule(task, self.now + seconds)
            case Signal():
                wait.add(task)
            case Task():
                if wait.over:
                    self._schedule(task, self.now)
                else:
                    wait.ended.add(task)
            case _:
                self._schedule(task, self.now + max(0.0, wait) / self.pace)

    def _schedule(self, task: Task, at: float) -> None:
        task.turn += 1
        heapq.heappush(self._calendar, (at, next(self._numbers), task, task.turn))

    def _finish(self, task: Task) -> None:
        task.over = True
        self.fire(task.ended)
