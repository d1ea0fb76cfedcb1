"""The command line: `kubevirt-upgrade-exporter COMMAND`, also `python -m exporter COMMAND`.

Each command is a module here that holds a click command named `command`, and a line in COMMANDS. It is imported when it
is asked for: a replay need not wait for the Kubernetes client to load.
"""

import importlib
import sys
from collections.abc import Sequence
from typing import Final

import click

import exporter
from exporter.cli import exits

COMMANDS: Final = {
    "run": "exporter.cli.run",
    "demo": "exporter.cli.demo",
    "preflight": "exporter.cli.preflight",
    "verify": "exporter.cli.verify",
    "record": "exporter.cli.record",
    "replay": "exporter.cli.replay",
    "metrics-docs": "exporter.cli.metrics_docs",
    "cli-docs": "exporter.cli.reference",
    "verify-docs": "exporter.cli.verify_docs",
}


class _Commands(click.Group):
    """The commands of the table, in its order."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command = importlib.import_module(COMMANDS[cmd_name]).command
        return command if isinstance(command, click.Command) else None


@click.group(
    cls=_Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="\n".join(["\b", "Exit codes:", *(f"{code:5}  {text}" for code, text in exits.MEANINGS.items())]),
)
@click.version_option(exporter.__version__, prog_name=exits.PROGRAM)
def program() -> None:
    """Tell, with numbers, whether a KubeVirt upgrade goes well, and prove afterwards that it went well.

    Every flag has a twin in the environment: --log-level is KUE_LOG_LEVEL.
    """


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code (`exits.Exit`); `arguments` are those of the process by default."""
    given = sys.argv[1:] if arguments is None else list(arguments)
    return exits.guard(lambda: _invoke(given))


def _invoke(arguments: list[str]) -> exits.Exit:
    with program.make_context(exits.PROGRAM, arguments) as context:
        return exits.Exit(program.invoke(context))
