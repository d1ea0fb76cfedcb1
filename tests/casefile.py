"""Runs the text files of tests/cases: each holds commands, their worlds, and what they print and return.

A world is a simulated cluster behind real HTTP, in a thread of its own, as of now; nothing in it moves by itself.
The format is described in tests/cases/README.md.
"""

import asyncio
import contextlib
import dataclasses
import datetime as dt
import pathlib
import re
import shlex
import threading
import time
from collections.abc import Iterator
from typing import Any, Final, Self

import pytest
import yaml

from exporter import cli, sim
from exporter.sim import loading
from exporter.sim.faults import Fault, Harm

FOLDER: Final = pathlib.Path(__file__).parent / "cases"
_MOMENT: Final = re.compile(r"\{\{(-?\d+)\}\}")
_WORLD_KEYS: Final = {"cluster", "steps", "after", "change", "create", "remove", "refuse"}

Json = dict[str, Any]


@dataclasses.dataclass(frozen=True)
class Case:
    """One case; `path` and `title` say where it stands."""

    path: pathlib.Path
    title: str
    world: str
    run: str
    exit: int
    output: str
    errors: str

    def text(self) -> str:
        """As it stands in the file."""
        parts = {"world": self.world, "run": self.run, "exit": f"{self.exit}\n", "output": self.output}
        if self.errors:
            parts["errors"] = self.errors
        return f"=== {self.title}\n" + "".join(f"--- {name}\n{part}" for name, part in parts.items() if part)


def read(path: pathlib.Path) -> tuple[str, list[Case]]:
    """The text before the first case, and the cases."""
    preamble, *texts = re.split(r"^=== ", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return preamble, [_case(path, text) for text in texts]


def _case(path: pathlib.Path, text: str) -> Case:
    title, _, rest = text.partition("\n")
    names = re.findall(r"^--- (\w+)$", rest, flags=re.MULTILINE)
    bodies = re.split(r"^--- \w+\n", rest, flags=re.MULTILINE)[1:]
    parts = dict(zip(names, bodies, strict=True))
    assert set(parts) <= {"world", "run", "exit", "output", "errors"}, f"{path.name}: {title}: {names}"
    return Case(
        path=path,
        title=title,
        world=parts.get("world", ""),
        run=parts["run"],
        exit=int(parts.get("exit", "0")),
        output=parts.get("output", ""),
        errors=parts.get("errors", ""),
    )


def check(case: Case, capsys: pytest.CaptureFixture[str], folder: pathlib.Path, *, update: bool) -> None:
    """Run the case; compare, or write its file anew."""
    with contextlib.ExitStack() as stack:
        arguments = shlex.split(case.run.replace("DIR", str(folder)))
        secrets = {str(folder): "DIR"}
        if case.world:
            served = stack.enter_context(Served(simulated(case.world)))
            arguments += ["--kubeconfig", str(served.simulation.kubeconfig(folder / "kubeconfig"))]
            secrets[served.simulation.url] = "URL"
        code = cli.main(arguments)
        shown = capsys.readouterr()
    output, errors = _hidden(shown.out, secrets), _hidden(shown.err, secrets)
    got = dataclasses.replace(case, exit=code, output=output, errors=errors)
    if update:
        preamble, cases = read(case.path)
        texts = [got if each.title == case.title else each for each in cases]
        case.path.write_text(preamble + "".join(each.text() for each in texts), encoding="utf-8")
        return
    assert got.text() == case.text()


def _hidden(text: str, secrets: dict[str, str]) -> str:
    for secret, name in secrets.items():
        text = text.replace(secret, name)
    return text


class Served:
    """A simulation that is served by a thread of its own."""

    def __init__(self, simulation: sim.Simulation) -> None:
        self.simulation = simulation
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="simulated API server")

    def __enter__(self) -> Self:
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.simulation.serve(), self._loop).result(timeout=10)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self.simulation.stop(), self._loop).result(timeout=10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


def simulated(text: str) -> sim.Simulation:
    """The world that a case describes."""
    now = time.time()
    wanted = yaml.safe_load(_MOMENT.sub(lambda match: _moment(now + float(match[1])), text)) or {}
    assert set(wanted) <= _WORLD_KEYS, f"unknown in a world: {set(wanted) - _WORLD_KEYS}"
    after = float(wanted.get("after", 0))
    scenario = {
        "about": "A case.",
        "cluster": {"guests": 4} | wanted.get("cluster", {}),
        "steps": wanted.get("steps", [{"at": after + 3600, "do": "upgrade", "to": "v1.9.9"}]),
        "ends": {"at": after + 3601},
    }
    read = loading.parse(yaml.safe_dump(scenario), name="case", source="case")
    simulation = sim.Simulation(read, start_at=now - after)
    simulation.advance(after)
    for body in _each(wanted.get("create", {})):
        simulation.cluster.create(*body, stamp=body[1]["metadata"].get("creationTimestamp", ""))
    for name, patch in wanted.get("change", {}).items():
        _change(simulation, name, patch)
    for name in wanted.get("remove", []):
        resource, _, key = name.partition(" ")
        namespace, _, plain = key.rpartition("/")
        simulation.cluster.delete(resource, plain, namespace)
    if wanted.get("refuse") == "all":
        simulation.faults.add(Fault(harm=Harm.STATUS, code=401, message="Unauthorized"))
    else:
        for resource in wanted.get("refuse", []):
            message = f"{resource} is forbidden"
            simulation.faults.add(Fault(harm=Harm.STATUS, resource=resource, code=403, message=message))
    return simulation


def _each(created: dict[str, list[Json]]) -> Iterator[tuple[str, Json]]:
    for resource, bodies in created.items():
        for body in bodies:
            yield resource, body


def _change(simulation: sim.Simulation, name: str, patch: Json) -> None:
    """Patch the object of that name, or all of a resource where no name is given."""
    resource, _, key = name.partition(" ")
    namespace, _, plain = key.rpartition("/")
    names = [(namespace, plain)] if key else [
        (body["metadata"].get("namespace", ""), body["metadata"]["name"]) for body in simulation.cluster.list(resource)
    ]  # fmt: skip
    for where, which in names:
        with simulation.cluster.edit(resource, which, where) as body:
            _merge(body, patch)


def _merge(body: Json, patch: Json) -> None:
    """RFC 7386."""
    for key, value in patch.items():
        if value is None:
            body.pop(key, None)
        elif isinstance(value, dict) and isinstance(body.get(key), dict):
            _merge(body[key], value)
        else:
            body[key] = value


def _moment(at: float) -> str:
    return dt.datetime.fromtimestamp(at, tz=dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
