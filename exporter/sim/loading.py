"""Scenarios from YAML: every mistake is reported, with file, line and place, before anything begins.

Keys are those of the values in `scenario` with dashes for underscores; a step has `at` or `after` (and `plus`), `do`
(the action, such as `stick-handler`), and the action's own keys. Unknown keys are refused.
"""

from __future__ import annotations

import dataclasses
import enum
import re
import types
import typing
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from exporter.sim import scenario
from exporter.sim.faults import Fault
from exporter.sim.rules import Impossible, stories
from exporter.sim.scenario import Inject, Scenario, Step, When
from exporter.sim.world.world import ClusterSpec

FOLDER = Path(__file__).parent / "scenarios"
_ACTIONS = {
    re.sub(r"(?<!^)(?=[A-Z])", "-", kind.__name__).lower(): kind for kind in typing.get_args(scenario.Action)
}  # stick-handler: StickHandler
_TOP = {"about", "cluster", "steps", "ends", "longest"}
_MOMENT = {"at", "after", "plus"}
_MISSING: Any = object()


class ScenarioError(ValueError):
    """A scenario that cannot be read or acted out. `problems` are all of them, each with its place."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = problems


def names() -> list[str]:
    """The scenarios that come with the simulator."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load(name: str | Path, *, guests: int | None = None) -> Scenario:
    """A scenario by its name or from a file; `guests` is a number in place of its own.

    Raises `ScenarioError` for one that is missing, malformed or impossible.
    """
    path = Path(name)
    if not path.suffix:
        path = FOLDER / f"{name}.yaml"
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        message = f"{name}: no such scenario; there are: {', '.join(names())}"
        raise ScenarioError([message if not Path(name).suffix else f"{name}: {error.strerror}"]) from error
    read = parse(text, name=path.stem, source=path.name)
    if guests is None:
        return read
    return checked(dataclasses.replace(read, cluster=dataclasses.replace(read.cluster, guests=guests)), path.name)


def parse(text: str, *, name: str, source: str) -> Scenario:
    """A scenario from YAML. Raises `ScenarioError`."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ScenarioError([f"{source}:{line}: {error.problem}"]) from error
    reader = _Reader(source)
    found = reader.scenario(root, name)
    if found is None or reader.problems:
        raise ScenarioError(reader.problems)
    return checked(found, source)


def checked(found: Scenario, source: str) -> Scenario:
    """The scenario, if it is possible. Raises `ScenarioError`."""
    try:
        stories.check(found)
    except Impossible as impossible:
        raise ScenarioError([f"{source}: {problem}" for problem in impossible.problems]) from impossible
    return found


class _Reader:
    """Reads nodes of YAML into values and collects what is wrong."""

    def __init__(self, source: str) -> None:
        self.problems: list[str] = []
        self._source = source

    def scenario(self, root: yaml.Node | None, name: str) -> Scenario | None:
        if not isinstance(root, yaml.MappingNode):
            self.problems.append(f"{self._source}:1: a scenario is a mapping with {', '.join(sorted(_TOP))}")
            return None
        keys = self._keys(root, "", _TOP)
        steps = self._steps(keys.get("steps"))
        ends = self._moment(keys["ends"], "ends") if "ends" in keys else None
        if ends is None and "ends" not in keys:
            self._wrong(root, "ends", "is missing")
        about = self._value(keys["about"], "about", str) if "about" in keys else ""
        longest = self._value(keys["longest"], "longest", float) if "longest" in keys else 7200.0
        cluster = self._object(keys["cluster"], "cluster", ClusterSpec) if "cluster" in keys else ClusterSpec()
        if self.problems or ends is None:
            return None
        return Scenario(name=name, about=about, cluster=cluster, steps=tuple(steps), ends=ends, longest=longest)

    def _steps(self, node: yaml.Node | None) -> list[Step]:
        if node is None:
            return []
        if not isinstance(node, yaml.SequenceNode):
            self._wrong(node, "steps", "must be a list")
            return []
        steps = (self._step(item, f"steps[{position}]") for position, item in enumerate(node.value))
        return [step for step in steps if step is not None]

    def _step(self, node: yaml.Node, place: str) -> Step | None:
        if not isinstance(node, yaml.MappingNode):
            self._wrong(node, place, "must be a mapping")
            return None
        keys = {str(key.value): value for key, value in node.value}
        if "do" not in keys:
            self._wrong(node, place, "lacks `do`")
            return None
        kind = _ACTIONS.get(str(keys["do"].value))
        if kind is None:
            self._wrong(keys["do"], f"{place}.do", f"{keys['do'].value!r} is none of {', '.join(sorted(_ACTIONS))}")
            return None
        before = len(self.problems)
        when = self._moment(node, place, others=True)
        if kind is Inject:
            action: Any = self._object(node, place, Fault, ignored={"do", *_MOMENT})
            action = None if action is None else Inject(fault=action)
        else:
            action = self._object(node, place, kind, ignored={"do", *_MOMENT})
        if len(self.problems) > before or when is None:
            return None
        return Step(when=when, action=action, place=f"line {node.start_mark.line + 1}: {place}.")

    def _moment(self, node: yaml.Node, place: str, *, others: bool = False) -> When | None:
        if not isinstance(node, yaml.MappingNode):
            self._wrong(node, place, "must be a mapping with `at`, or `after` and `plus`")
            return None
        keys = {str(key.value): value for key, value in node.value}
        if ("at" in keys) == ("after" in keys) or ("plus" in keys and "after" not in keys):
            self._wrong(node, place, "needs either `at`, or `after` (and perhaps `plus`)")
            return None
        ignored = set(keys) - _MOMENT if others else set()
        return typing.cast("When | None", self._object(node, place, When, ignored=ignored))

    def _object(self, node: yaml.Node, place: str, kind: Any, *, ignored: set[str] | None = None) -> Any:  # noqa: ANN401
        """A dataclass from a mapping, or None where something is wrong."""
        if not isinstance(node, yaml.MappingNode):
            self._wrong(node, place, "must be a mapping")
            return None
        fields = {field.name.replace("_", "-"): field for field in dataclasses.fields(kind)}
        hints = typing.get_type_hints(kind)
        keys = self._keys(node, place, {*fields, *(ignored or ())})
        before, values = len(self.problems), {}
        for name, field in fields.items():
            if name in keys:
                values[field.name] = self._value(keys[name], f"{place}.{name}", hints[field.name])
            elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
                self._wrong(node, place, f"lacks `{name}`")
        if len(self.problems) > before:
            return None
        try:
            return kind(**values)
        except ValueError as error:
            self._wrong(node, place, str(error))
            return None

    def _keys(self, node: yaml.MappingNode, place: str, known: set[str]) -> dict[str, yaml.Node]:
        found: dict[str, yaml.Node] = {}
        for key, value in node.value:
            name = str(key.value)
            if name not in known:
                self._wrong(key, place, f"unknown key `{name}`; known: {', '.join(sorted(known))}")
            elif name in found:
                self._wrong(key, place, f"`{name}` stands here twice")
            found[name] = value
        return found

    def _value(self, node: yaml.Node, place: str, hint: Any) -> Any:  # noqa: ANN401 - whatever the hint says
        content = yaml.SafeLoader("").construct_object(node, deep=True)
        for accepts, convert in _CONVERSIONS:
            if accepts(hint):
                value = convert(content, hint)
                if value is not _MISSING:
                    return value
                break
        self._wrong(node, place, f"{content!r} is not {_described(hint)}")
        return None

    def _wrong(self, node: yaml.Node, place: str, text: str) -> None:
        where = f"{place}: " if place else ""
        self.problems.append(f"{self._source}:{node.start_mark.line + 1}: {where}{text}")


def _number(content: Any, hint: Any) -> Any:  # noqa: ANN401
    if isinstance(content, bool) or not isinstance(content, int | float):
        return _MISSING
    if hint is int:
        return content if isinstance(content, int) else _MISSING
    return float(content)


def _optional(content: Any, hint: Any) -> Any:  # noqa: ANN401
    if content is None:
        return None
    inner = next(one for one in typing.get_args(hint) if one is not types.NoneType)
    return _number(content, inner)


def _strings(content: Any, _hint: Any) -> Any:  # noqa: ANN401
    good = isinstance(content, list) and all(isinstance(item, str) for item in content)
    return tuple(content) if good else _MISSING


def _lists_of_strings(content: Any, _hint: Any) -> Any:  # noqa: ANN401
    good = isinstance(content, dict) and all(_strings(item, None) is not _MISSING for item in content.values())
    return content if good else _MISSING


def _choice(content: Any, hint: Any) -> Any:  # noqa: ANN401
    return content if content in typing.get_args(hint) else _MISSING


def _member(content: Any, hint: Any) -> Any:  # noqa: ANN401
    return next((member for member in hint if member.value == content), _MISSING)


def _same(content: Any, hint: Any) -> Any:  # noqa: ANN401
    return content if isinstance(content, hint) else _MISSING


_CONVERSIONS: tuple[tuple[Callable[[Any], bool], Callable[[Any, Any], Any]], ...] = (
    (lambda hint: hint in {int, float}, _number),
    (lambda hint: hint in {str, bool}, _same),
    (lambda hint: typing.get_origin(hint) is types.UnionType, _optional),
    (lambda hint: typing.get_origin(hint) is tuple, _strings),
    (lambda hint: typing.get_origin(hint) is dict, _lists_of_strings),
    (lambda hint: typing.get_origin(hint) is typing.Literal, _choice),
    (lambda hint: isinstance(hint, type) and issubclass(hint, enum.Enum), _member),
)


def _described(hint: Any) -> str:  # noqa: ANN401
    if typing.get_origin(hint) is typing.Literal:
        return f"one of {', '.join(typing.get_args(hint))}"
    if isinstance(hint, type) and issubclass(hint, enum.Enum):
        return f"one of {', '.join(member.value for member in hint)}"
    described = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}
    if typing.get_origin(hint) is tuple:
        return "a list of texts"
    return described.get(
        hint, "a number or null" if typing.get_origin(hint) is types.UnionType else "a mapping of lists"
    )
