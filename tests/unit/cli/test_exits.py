"""What ends how: no exception of any library becomes a code that means something else."""

import click
import pytest

from exporter import errors
from exporter.cli import exits


def raising(error: BaseException) -> exits.Exit:
    def command() -> exits.Exit:
        raise error

    return exits.guard(command)


@pytest.mark.parametrize("code", list(exits.Exit))
def test_a_command_ends_with_the_code_it_returns(code: exits.Exit) -> None:
    assert exits.guard(lambda: code) is code


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (errors.UsageError("--at: too late"), exits.Exit.USAGE, "--at: too late"),
        (errors.UnreadableError("x: line 3: broken"), exits.Exit.UNREADABLE, "x: line 3: broken"),
        (errors.Retry("HTTP 500"), exits.Exit.ERROR, "HTTP 500"),
        (click.UsageError("no such option"), exits.Exit.USAGE, "no such option"),
        (click.BadParameter("not a number"), exits.Exit.USAGE, "not a number"),
        (click.FileError("f", "gone"), exits.Exit.USAGE, "gone"),
    ],
)
def test_what_is_raised_on_purpose_is_a_message_and_a_code(
    error: Exception, code: exits.Exit, message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert raising(error) is code
    shown = capsys.readouterr()
    assert message in shown.err
    assert "Traceback" not in shown.err
    assert shown.out == ""


def test_a_bug_is_neither_a_no_nor_a_cannot_tell(capsys: pytest.CaptureFixture[str]) -> None:
    assert raising(ZeroDivisionError("oops")) is exits.Exit.ERROR
    shown = capsys.readouterr().err
    assert "ZeroDivisionError: oops" in shown
    assert "this is a bug" in shown


def test_ctrl_c_is_what_shells_expect() -> None:
    assert raising(KeyboardInterrupt()) is exits.Exit.INTERRUPTED
    assert raising(click.Abort()) is exits.Exit.INTERRUPTED


def test_help_is_a_success() -> None:
    assert raising(click.exceptions.Exit(0)) is exits.Exit.OK


def test_every_code_has_a_meaning() -> None:
    assert list(exits.MEANINGS) == list(exits.Exit)
