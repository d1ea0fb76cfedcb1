"""Settings from flags, environment and configuration file: the same keys, one conversion, all mistakes together.

`--stalled-after 60`, `KUE_STALLED_AFTER=60` and `stalled-after: 60` in the file of `--config` are the same; the first
of these that is given counts. Any option of any command that is a `Setting` behaves so.

Not here: what the values mean, which groups there are (`groups`), and how the file is read (`configuration`).
"""

import difflib
import os
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any, Final

import click
from click.core import ParameterSource

from exporter import errors
from exporter.cli import configuration

ENVIRONMENT: Final = "KUE_"

_CONFIG_VARIABLE: Final = f"{ENVIRONMENT}CONFIG"
_MISTAKES: Final = "exporter.mistakes"
_PLACES: Final = "exporter.places"


def key_of(parameter: str) -> str:
    """The key of a parameter, as flags and files spell it."""
    return parameter.replace("_", "-")


class Setting(click.Option):
    """An option with an environment twin and a key in the configuration file. A wrong value is noted, not raised."""

    def __init__(self, *arguments: Any, section: str = "", **attributes: Any) -> None:  # noqa: ANN401 - click's own
        """`section` is the heading in the help; all else is for click."""
        super().__init__(*arguments, **({"show_envvar": True, "show_default": True} | attributes))
        self.section = section
        self.envvar = ENVIRONMENT + self.name.upper()

    def handle_parse_result(
        self, ctx: click.Context, opts: Mapping[str, Any], args: list[str]
    ) -> tuple[Any, list[str]]:
        try:
            return super().handle_parse_result(ctx, opts, args)
        except click.BadParameter as error:
            _mistakes(ctx).append(f"{self._place(ctx)}: {error.message}")
            return None, args

    def _place(self, ctx: click.Context) -> str:
        match ctx.get_parameter_source(self.name):
            case ParameterSource.ENVIRONMENT:
                return str(self.envvar)
            case ParameterSource.DEFAULT_MAP:
                return str(ctx.meta[_PLACES][self.name])
            case _:
                return self.opts[0]


class SettingsCommand(click.Command):
    """A command with settings: takes `--config`, knows the environment, tells all mistakes at once."""

    def __init__(self, *arguments: Any, **attributes: Any) -> None:  # noqa: ANN401 - click's own
        super().__init__(*arguments, **attributes)
        self.params.append(
            click.Option(
                ["--config"],
                type=click.Path(path_type=pathlib.Path),
                envvar=_CONFIG_VARIABLE,
                show_envvar=True,
                is_eager=True,
                expose_value=False,
                callback=_read_configuration,
                help="YAML file with any of these settings: the names of the flags without dashes in front.",
            )
        )

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """As click does, then complain.

        Raises UsageError: a line for each mistake, with its place.
        """
        mistakes = _mistakes(ctx)
        rest: list[str] = []
        try:
            rest = super().parse_args(ctx, args)
        except click.exceptions.NoArgsIsHelpError:
            raise
        except click.UsageError as error:
            mistakes.append(error.format_message())
        mistakes += _unknown_in_environment(ctx)
        if mistakes:
            raise errors.UsageError("\n  ".join([f"{len(mistakes)} to correct", *mistakes]))
        return rest

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """The options under their sections' headings; those without one come first."""
        rows: dict[str, list[tuple[str, str]]] = {"Options": []}
        for parameter in self.get_params(ctx):
            if isinstance(parameter, click.Option) and (row := parameter.get_help_record(ctx)) is not None:
                section = parameter.section if isinstance(parameter, Setting) else ""
                rows.setdefault(section or "Options", []).append(row)
        for section, records in rows.items():
            with formatter.section(section):
                formatter.write_dl(records)


def _read_configuration(ctx: click.Context, _: click.Parameter, path: pathlib.Path | None) -> None:
    """Hand the file's values to click, below the environment; note what is wrong with its keys."""
    if path is None:
        return
    entries, mistakes = configuration.read(path)
    values: dict[str, str | list[str]] = {}
    places: dict[str, str] = {}
    known = _settings(ctx)
    for entry in entries:
        name = entry.key.replace("-", "_")
        if key_of(name) != entry.key or name not in known:
            mistakes.append(f"{entry.place}: {_no_such(entry.key, map(key_of, known))}")
        elif isinstance(entry.value, list) and not known[name].multiple:
            mistakes.append(f"{entry.place}: expected one value, not a list")
        else:
            values[name] = entry.value
            places[name] = entry.place
    _mistakes(ctx).extend(mistakes)
    ctx.default_map = values
    ctx.meta[_PLACES] = places


def _unknown_in_environment(ctx: click.Context) -> list[str]:
    """A misspelt variable would silently do nothing."""
    ours = {name for name in os.environ if name.startswith(ENVIRONMENT)} - {_CONFIG_VARIABLE}
    known = {str(option.envvar) for option in _settings(ctx).values()} if ours else set()
    return [f"{name}: {_no_such(name, known)}" for name in sorted(ours - known)]


def _mistakes(ctx: click.Context) -> list[str]:
    mistakes: list[str] = ctx.meta.setdefault(_MISTAKES, [])
    return mistakes


def _no_such(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, sorted(known), n=1)
    return "there is no such setting" + (f"; did you mean {close[0]}?" if close else "")


def _settings(ctx: click.Context) -> dict[str, Setting]:
    """The settings of all commands by name: they share one environment, and may share a file."""
    commands = [ctx.command]
    group = ctx.find_root().command
    if isinstance(group, click.Group):
        commands += [command for name in group.list_commands(ctx) if (command := group.get_command(ctx, name))]
    return {option.name: option for command in commands for option in command.params if isinstance(option, Setting)}
