"""The groups of `exporter.settings` as options of a command, and back.

A field becomes a setting: its name the key, its type and bounds the check, the text below it the help.
"""

import ast
import inspect
import itertools
import math
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, TypeGuard, TypeVar, get_args

import click
import msgspec
from msgspec import inspect as types

from exporter import settings
from exporter.cli import options

Struct = TypeVar("Struct", bound=msgspec.Struct)

_PREFIXES: Final[Mapping[type[msgspec.Struct], str]] = {
    settings.Objectives: "objective_", settings.Probing: "probe_", settings.Logging: "log_",
    settings.Journal: "journal_",
}  # fmt: skip
"""Where a field's name says too little outside its group."""


class Quantity(click.ParamType[float]):
    """A number within bounds; `int` or `float` tells which."""

    def __init__(self, *, whole: bool, least: float | None, most: float | None) -> None:
        self.name = "integer" if whole else "number"
        self._whole = whole
        self._least = -math.inf if least is None else least
        self._most = math.inf if most is None else most

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:  # noqa: ANN401
        """The number, or click's complaint."""
        try:
            number = int(value) if self._whole else float(value)
        except ValueError:
            number = math.nan
        if not (math.isfinite(number) and self._least <= number <= self._most):
            self.fail(f"{value!r} is not {self._wanted()}", param, ctx)
        return number

    def _wanted(self) -> str:
        kind = "a whole number" if self._whole else "a number"
        match math.isfinite(self._least), math.isfinite(self._most):
            case True, True:
                return f"{kind} from {self._least:g} to {self._most:g}"
            case True, False:
                return f"{kind}, {self._least:g} or more"
            case False, True:
                return f"{kind}, {self._most:g} or less"
            case _:
                return kind


class Text(click.ParamType[str]):
    """A text of a certain form; `title` names the form, `example` shows it."""

    name = "text"

    def __init__(self, pattern: str | None, title: str | None, example: str = "") -> None:
        self._pattern = re.compile(pattern or "")
        self._title = f"{title}, such as {example}" if example else title

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:  # noqa: ANN401
        """The text, or click's complaint."""
        text = str(value)
        if not self._pattern.search(text):
            self.fail(f"{text!r} is not like {self._title}", param, ctx)
        return text


def as_options(*groups: type[msgspec.Struct]) -> Callable[[click.Command], click.Command]:
    """Decorate a command: all fields of the groups, and of the groups within, become its settings.

    Raises ValueError: two of them would have the same key. Raises TypeError: a field is of a type no setting has.
    """

    def decorate(command: click.Command) -> click.Command:
        for setting in itertools.chain.from_iterable(map(_settings, groups)):
            if any(setting.name == parameter.name for parameter in command.params):
                raise ValueError(f"{command.name} has two settings {options.key_of(setting.name)}: give one a prefix")
            command.params.append(setting)
        return command

    return decorate


def build(group: type[Struct], parameters: Mapping[str, Any]) -> Struct:
    """The group, filled from a command's parameters."""
    prefix = _PREFIXES.get(group, "")
    values = {
        field.name: build(field.type, parameters) if _is_group(field.type) else parameters[prefix + field.name]
        for field in msgspec.structs.fields(group)
    }
    return group(**values)


def _settings(group: type[msgspec.Struct]) -> Iterator[options.Setting]:
    texts = _texts(group)
    prefix = _PREFIXES.get(group, "")
    for field in msgspec.structs.fields(group):
        if _is_group(field.type):
            yield from _settings(field.type)
            continue
        yield options.Setting(
            [f"--{options.key_of(prefix + field.name)}"],
            default=field.default,
            show_default=field.default != "",
            help=texts[field.name],
            section=group.__name__,
            **_conversion(field.type),
        )


def _is_group(annotation: object) -> TypeGuard[type[msgspec.Struct]]:
    return isinstance(annotation, type) and issubclass(annotation, msgspec.Struct)


def _conversion(annotation: Any) -> dict[str, Any]:  # noqa: ANN401 - any annotation there may be
    """What click needs to know of a field's type.

    Raises TypeError: no setting has been of this type so far.
    """
    described = types.type_info(annotation)
    title, examples = None, []
    if isinstance(described, types.Metadata):
        said = described.extra_json_schema or {}
        title, examples = said.get("title"), said.get("examples", [])
        described = described.type
    match described:
        case types.FloatType(ge=least, le=most):
            return {"type": Quantity(whole=False, least=least, most=most), "metavar": title or "NUMBER"}
        case types.IntType(ge=least, le=most):
            return {"type": Quantity(whole=True, least=least, most=most), "metavar": "NUMBER"}
        case types.StrType(pattern=pattern):
            return {"type": Text(pattern, title, *examples), "metavar": title or "TEXT"}
        case types.BoolType():
            return {"is_flag": True}
        case types.LiteralType():
            return {"type": click.Choice(get_args(annotation))}
        case _:
            raise TypeError(f"no setting can be of type {annotation}")


def _texts(group: type[msgspec.Struct]) -> dict[str, str]:
    """The string below each field, which Python itself does not keep."""
    [definition] = ast.parse(textwrap.dedent(inspect.getsource(group))).body
    statements = definition.body if isinstance(definition, ast.ClassDef) else []
    return {
        field.target.id: inspect.cleandoc(text)
        for field, below in itertools.pairwise(statements)
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name)
        if isinstance(below, ast.Expr) and isinstance(below.value, ast.Constant)
        if isinstance(text := below.value.value, str)
    }
