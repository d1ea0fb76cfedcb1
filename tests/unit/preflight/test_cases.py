"""Every check as a user meets it: a case that passes, one that finds something, one that cannot tell."""

import json
import pathlib
import re
import socket

import pytest

from exporter import cli
from exporter.model.findings import State
from exporter.preflight.checks import CHECKS
from tests import casefile
from tests.conftest import REPOSITORY

FILES = [*sorted((casefile.FOLDER / "preflight").glob("*.txt")), casefile.FOLDER / "preflight-command.txt"]
CASES = [case for path in FILES for case in casefile.read(path)[1]]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.path.stem}: {case.title}")
def test_case(
    case: casefile.Case,
    capsys: pytest.CaptureFixture[str],
    tmp_path: pathlib.Path,
    pytestconfig: pytest.Config,
) -> None:
    casefile.check(case, capsys, tmp_path, update=pytestconfig.getoption("--update-golden"))


@pytest.mark.parametrize("name", CHECKS)
def test_every_check_has_cases_that_pass_that_find_and_that_cannot_tell(name: str) -> None:
    outputs = "".join(case.output for case in CASES if case.path.stem == name)
    states = {state for state in State if re.search(rf"^  {state.upper()} +{name} ", outputs, flags=re.MULTILINE)}
    assert {State.PASS, State.FAIL, State.UNKNOWN} <= states


@pytest.mark.parametrize("name", CHECKS)
def test_every_check_has_a_page(name: str) -> None:
    page = (REPOSITORY / "docs" / "checks" / f"{name}.md").read_text(encoding="utf-8")
    assert page.startswith(f"# {name}\n")
    assert [state for state in ("pass", "fail", "unknown") if f"| {state} |" not in page] == []


def test_every_page_is_of_a_check() -> None:
    pages = {path.stem for path in (REPOSITORY / "docs" / "checks").glob("*.md")} - {"README"}
    assert pages == set(CHECKS)


def test_the_list_of_checks_names_each_of_them() -> None:
    listed = (REPOSITORY / "docs" / "checks" / "README.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| \[([a-z-]+)\]\(\1\.md\)", listed, flags=re.MULTILINE) == list(CHECKS)


def test_a_cluster_that_cannot_be_reached_is_not_a_go(
    capsys: pytest.CaptureFixture[str], tmp_path: pathlib.Path
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    kubeconfig = tmp_path / "kubeconfig"
    cluster = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{port}"}}
    context = {"name": "c", "context": {"cluster": "c", "user": "c"}}
    user = {"name": "c", "user": {"token": "t"}}
    config = {"clusters": [cluster], "contexts": [context], "users": [user], "current-context": "c"}
    kubeconfig.write_text(json.dumps(config))
    assert cli.main(["preflight", "--target", "v1.4.0", "--kubeconfig", str(kubeconfig)]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert "the cluster cannot be asked" in shown.err
