"""The one table of exit codes, and the one place where an exception becomes one.

`click` would end with 2 on a wrong flag, and Python with 1 on a bug; here these mean "cannot tell" and "failed", and a
script that gates an upgrade must not confuse them.
"""

import enum
import os
import sys
import traceback
from collections.abc import Callable
from typing import Final

import click

from exporter import errors


class Exit(enum.IntEnum):
    """What a command's exit code means, in every command."""

    OK = 0
    NO = 1
    CANNOT_TELL = 2
    USAGE = 3
    UNREADABLE = 4
    ERROR = 5
    INTERRUPTED = 130
    PIPE = 141


MEANINGS: Final = {
    Exit.OK: "did what it was asked to; where there is a verdict: passed, go",
    Exit.NO: "failed, no-go",
    Exit.CANNOT_TELL: "cannot tell: something could not be observed",
    Exit.USAGE: "a flag, a setting or the configuration file is wrong",
    Exit.UNREADABLE: "an input cannot be read",
    Exit.ERROR: "something broke",
    Exit.INTERRUPTED: "ended by Ctrl-C",
    Exit.PIPE: "nobody reads the output any more",
}

PROGRAM: Final = "kubevirt-upgrade-exporter"


def guard(command: Callable[[], Exit]) -> Exit:
    """Run it; whatever it raises becomes a message on standard error and a code."""
    try:
        code = command()
        sys.stdout.flush()
    except click.exceptions.Exit as end:  # --help, --version
        return Exit(end.exit_code)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.format_message(), err=True)
        return Exit.USAGE
    except click.ClickException as error:
        return _say(error.format_message(), Exit.USAGE)
    except errors.UsageError as error:
        return _say(str(error), Exit.USAGE)
    except errors.UnreadableError as error:
        return _say(str(error), Exit.UNREADABLE)
    except errors.ExporterError as error:
        return _say(str(error), Exit.ERROR)
    except (KeyboardInterrupt, click.Abort):
        return Exit.INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains when it flushes at exit
        return Exit.PIPE
    except Exception:  # noqa: BLE001 - the last boundary: a bug must not look like an answer
        traceback.print_exc()
        return _say("this is a bug; please report it with the lines above", Exit.ERROR)
    return code


def _say(message: str, code: Exit) -> Exit:
    click.echo(f"{PROGRAM}: {message}", err=True)
    return code
