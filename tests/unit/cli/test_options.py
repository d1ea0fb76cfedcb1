"""Settings from flags, environment and file: the same keys and checks, and every mistake told with its place."""

import dataclasses
import pathlib
from typing import Any

import click
import msgspec
import pytest

from exporter import errors, settings
from exporter.cli import groups, options

BOOLEANS = ", 0, 1, f, false, n, no, off, on, t, true, y, yes"


@dataclasses.dataclass
class Ran:
    """What a command got."""

    parameters: dict[str, Any] = dataclasses.field(default_factory=dict)


def program(ran: Ran) -> click.Group:
    """A group of two commands with settings in common."""

    @click.group()
    def root() -> None:
        pass

    @groups.as_options(settings.Settings, settings.Serving, settings.Logging)
    @root.command("watch", cls=options.SettingsCommand)
    @click.option("--quiet", cls=options.Setting, is_flag=True, help="Say less.")
    @click.option("--only", cls=options.Setting, multiple=True, help="Only these.")
    def watch(**parameters: object) -> None:
        ran.parameters = parameters

    @root.command("check", cls=options.SettingsCommand)
    @click.argument("file")
    @click.option("--target", cls=options.Setting, help="A version.")
    def check(**parameters: object) -> None:
        ran.parameters = parameters

    return root


def run(*arguments: str) -> dict[str, Any]:
    ran = Ran()
    root = program(ran)
    with root.make_context("program", list(arguments)) as context:
        root.invoke(context)
    return ran.parameters


def mistakes(*arguments: str) -> list[str]:
    with pytest.raises(errors.UsageError) as raised:
        run(*arguments)
    first, *lines = str(raised.value).splitlines()
    assert first == f"{len(lines)} to correct"
    return [line.strip() for line in lines]


@pytest.fixture
def config(tmp_path: pathlib.Path) -> pathlib.Path:
    return tmp_path / "config.yaml"


def test_defaults_are_those_of_the_groups() -> None:
    parameters = run("watch")
    assert groups.build(settings.Settings, parameters) == settings.Settings()
    assert groups.build(settings.Serving, parameters) == settings.Serving()
    assert groups.build(settings.Logging, parameters) == settings.Logging()


def test_a_flag_wins_over_the_environment_and_that_over_the_file(
    config: pathlib.Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config.write_text("settling: 1\nstalled-after: 1\nlisten: 127.0.0.1:1\nanomalies: 1\n")
    monkeypatch.setenv("KUE_CONFIG", str(config))
    monkeypatch.setenv("KUE_SETTLING", "2")
    monkeypatch.setenv("KUE_STALLED_AFTER", "2")
    parameters = run("watch", "--settling", "3")
    built = groups.build(settings.Settings, parameters)
    assert (built.thresholds.settling, built.thresholds.stalled_after, built.anomalies) == (3, 2, 1)
    assert groups.build(settings.Serving, parameters).listen == "127.0.0.1:1"
    assert built.thresholds.workloads_limit == settings.Thresholds().workloads_limit


def test_names_that_say_too_little_are_prefixed() -> None:
    parameters = run("watch", "--objective-leader-gap", "7", "--log-format", "json")
    assert groups.build(settings.Settings, parameters).objectives.leader_gap == 7
    assert groups.build(settings.Logging, parameters).format == "json"


@pytest.mark.parametrize("text", ["true", "yes", "1"])
def test_a_switch_can_be_set_everywhere(text: str, config: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("watch", "--quiet")["quiet"] is True
    config.write_text(f"quiet: {text}\n")
    assert run("watch", "--config", str(config))["quiet"] is True
    monkeypatch.setenv("KUE_QUIET", text)
    assert run("watch")["quiet"] is True


def test_a_setting_may_have_several_values(config: pathlib.Path) -> None:
    config.write_text("only: [a, b]\n")
    assert run("watch", "--config", str(config))["only"] == ("a", "b")


def test_the_file_may_hold_what_is_for_another_command(config: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """One file and one environment serve all commands of an installation."""
    config.write_text("target: v1.4.0\nsettling: 5\n")
    monkeypatch.setenv("KUE_TARGET", "v1.4.0")
    assert run("watch", "--config", str(config))["settling"] == 5
    assert run("check", "file", "--config", str(config))["target"] == "v1.4.0"


def test_an_empty_file_and_an_empty_variable_say_nothing(config: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text("# nothing yet\n")
    monkeypatch.setenv("KUE_SETTLING", "")
    assert run("watch", "--config", str(config))["settling"] == settings.Thresholds().settling


# --- mistakes ---


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("settling: soon", 1, "settling: 'soon' is not a number, 0 or more"),
        ("\n\nsettling: -1", 3, "settling: '-1' is not a number, 0 or more"),
        ("settling: .inf", 1, "settling: '.inf' is not a number, 0 or more"),
        ("settling: nan", 1, "settling: 'nan' is not a number, 0 or more"),
        ("anomalies: 1.5", 1, "anomalies: '1.5' is not a whole number, 0 or more"),
        (
            "objective-failed-migrations-ratio: 2",
            1,
            "objective-failed-migrations-ratio: '2' is not a number from 0 to 1",
        ),
        ("log-format: xml", 1, "log-format: 'xml' is not one of 'text', 'json'."),
        ("listen: here", 1, "listen: 'here' is not like ADDRESS:PORT"),
        ("quiet: perhaps", 1, f"quiet: 'perhaps' is not a valid boolean. Recognized values: {BOOLEANS}"),
        ("setling: 1", 1, "setling: there is no such setting; did you mean settling?"),
        ("stalled_after: 1", 1, "stalled_after: there is no such setting; did you mean stalled-after?"),
        ("config: x", 1, "config: there is no such setting"),
        ("xyzzy: 1", 1, "xyzzy: there is no such setting"),
        ("settling: 1\nsettling: 2", 2, "settling: given twice"),
        ("settling:", 1, "settling: expected one value or a list of values"),
        ("settling: {a: 1}", 1, "settling: expected one value or a list of values"),
        ("only: [a, {b: c}]", 1, "only: expected one value or a list of values"),
        ("settling: [1, 2]", 1, "settling: expected one value, not a list"),
    ],
)
def test_a_mistake_in_the_file_is_told_with_file_line_and_key(
    text: str, line: int, said: str, config: pathlib.Path
) -> None:
    config.write_text(text + "\n")
    assert mistakes("watch", "--config", str(config)) == [f"{config}:{line}: {said}"]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"- a\n- b\n", ":1: not a mapping of settings to values"),
        (b"just text\n", ":1: not a mapping of settings to values"),
        (b"a: b\nc: [1,\n", ":3: not YAML: expected the node content, but found '<stream end>'"),
        (b"a: b: c\n", ":1: not YAML: mapping values are not allowed here"),
        (b"a: \x00\n", ": not YAML: unacceptable character #x0000: special characters are not allowed"),
        (b"\xff\xfe\n", ": not UTF-8 text"),
    ],
)
def test_a_file_that_is_no_mapping_is_refused(content: bytes, said: str, config: pathlib.Path) -> None:
    config.write_bytes(content)
    assert mistakes("watch", "--config", str(config)) == [f"{config}{said}"]


def test_a_file_that_cannot_be_read_is_refused(config: pathlib.Path) -> None:
    assert mistakes("watch", "--config", str(config)) == [f"{config}: No such file or directory"]
    assert mistakes("watch", "--config", str(config.parent)) == [f"{config.parent}: Is a directory"]


def test_a_mistake_in_the_environment_is_told_with_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUE_SETTLING", "soon")
    monkeypatch.setenv("KUE_STALLED_AFTR", "1")
    assert mistakes("watch") == [
        "KUE_SETTLING: 'soon' is not a number, 0 or more",
        "KUE_STALLED_AFTR: there is no such setting; did you mean KUE_STALLED_AFTER?",
    ]


def test_all_mistakes_are_told_together(config: pathlib.Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config.write_text("setling: 1\nworkloads-limit: no\n")
    monkeypatch.setenv("KUE_ANOMALIES", "many")
    assert set(mistakes("watch", "--settling", "soon", "--config", str(config))) == {
        f"{config}:1: setling: there is no such setting; did you mean settling?",
        f"{config}:2: workloads-limit: 'no' is not a number, 0 or more",
        "KUE_ANOMALIES: 'many' is not a whole number, 0 or more",
        "--settling: 'soon' is not a number, 0 or more",
    }


def test_what_click_finds_is_told_with_the_rest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUE_SETTLNG", "1")
    assert mistakes("watch", "--nonsense") == [
        "No such option '--nonsense'.",
        "KUE_SETTLNG: there is no such setting; did you mean KUE_SETTLING?",
    ]
    monkeypatch.delenv("KUE_SETTLNG")
    assert mistakes("check") == ["Missing argument 'FILE'."]
    assert mistakes("watch", "surplus") == ["Got unexpected extra argument (surplus)"]


# --- help ---


def test_help_shows_each_setting_with_its_text_default_and_variable(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(click.exceptions.Exit):
        run("watch", "--help")
    shown = " ".join(capsys.readouterr().out.split())
    assert "Thresholds:" in shown
    assert "--settling SECONDS Watch this long after the last guest was updated." in shown
    assert "[env var: KUE_SETTLING; default: 900.0" in shown
    assert "--log-format [text|json]" in shown


@pytest.mark.parametrize(
    "group",
    [
        settings.Settings,
        settings.Thresholds,
        settings.Objectives,
        settings.Cluster,
        settings.Watching,
        settings.Serving,
        settings.Logging,
    ],
)
def test_every_field_of_every_group_has_a_text(group: type[Any]) -> None:
    """Else the help of its flag would be empty."""

    @groups.as_options(group)
    @click.command(cls=options.SettingsCommand)
    def command() -> None:
        pass

    assert all(option.help for option in command.params if isinstance(option, options.Setting))


def test_a_setting_of_an_unknown_type_is_refused_at_once() -> None:

    class Group(msgspec.Struct):
        names: list[str]
        """Some names."""

    with pytest.raises(TypeError, match="no setting can be of type"):
        groups.as_options(Group)(click.Command("command"))


def test_two_settings_of_one_key_are_refused_at_once() -> None:
    """The one would silently set the other."""
    with pytest.raises(ValueError, match="command has two settings judgement-delay: give one a prefix"):
        groups.as_options(settings.Thresholds, settings.Thresholds)(click.Command("command"))
