"""Runbooks: one for each alert, in the house's form; its queries ask for what exists, its commands run.

Commands run on the simulator, in the middle of an upgrade, and those that change something change it there.
"""

import asyncio
import os
import pathlib
import re
import shutil

import pytest

from exporter import sim
from exporter.cli import run
from tests.alerts import expressions
from tests.alerts.test_rules import ALERTS, RECORDS
from tests.conftest import REPOSITORY

FOLDER = REPOSITORY / "alerts" / "runbooks"
NAMES = [rule["alert"] for rule in ALERTS]
TEXTS = {path.stem: path.read_text() for path in sorted(FOLDER.glob("*.md"))}
NOT_SIMULATED = re.compile(r"^kubectl (-n \S+ )?(logs|auth can-i) |\bupgradereports\b")
"""Logs and access reviews, and our own reports."""


def blocks(name: str, language: str) -> list[str]:
    """The fenced blocks of a runbook, without their indentation."""
    found = re.findall(rf"^( *)```{language}\n(.*?)^ *```$", TEXTS[name], re.DOTALL | re.MULTILINE)
    return [re.sub(f"^{indentation}", "", block, flags=re.MULTILINE).strip() for indentation, block in found]


def prose(name: str) -> list[str]:
    """Lines that are neither code nor tables."""
    text = re.sub(r"^ *```.*?^ *```$", "", TEXTS[name], flags=re.DOTALL | re.MULTILINE)
    return [line for line in text.splitlines() if not line.lstrip().startswith("|")]


def test_there_is_one_for_each_alert_and_no_other() -> None:
    assert sorted(TEXTS) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_it_has_the_form_of_the_house(name: str) -> None:
    headings = [line for line in prose(name) if line.startswith("#")]
    assert headings == [f"# {name}", "## Meaning", "## Impact", "## Diagnosis", "## Mitigation"]
    assert [line for line in prose(name) if len(line) > 80] == []
    assert set(re.findall("```([a-z]*)", TEXTS[name])) <= {"sh", "promql", ""}


@pytest.mark.parametrize("name", NAMES)
def test_what_it_names_exists(name: str) -> None:
    options = {option for parameter in run.command.params for option in parameter.opts}
    assert set(re.findall(r"`(--[a-z-]+)`", TEXTS[name])) <= options
    assert set(re.findall(r"\bKubeVirtUpgrade\w+", TEXTS[name])) <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_its_queries_ask_for_what_exists_and_merge_replicas(name: str) -> None:
    assert blocks(name, "promql")
    for query in blocks(name, "promql"):
        for series in expressions.asked(query):
            if series.name not in RECORDS:
                assert set(series.matchers) <= set(expressions.families()[series.name].labels)
                assert series.merged
                assert not series.added


@pytest.mark.parametrize("name", NAMES)
def test_its_queries_show_what_the_alert_looks_at(name: str) -> None:
    """Somebody who reads it can see why it fires."""
    [rule] = [rule for rule in ALERTS if rule["alert"] == name]
    looked_at = {series.name for series in expressions.asked(rule["expr"])}
    shown = {series.name for query in blocks(name, "promql") for series in expressions.asked(query)}
    assert looked_at & shown


@pytest.mark.parametrize("name", NAMES)
def test_it_says_where_its_variables_come_from(name: str) -> None:
    commands = "\n".join(blocks(name, "sh"))
    used = set(re.findall(r"\$([A-Z_]+)", commands)) - set(re.findall(r"^([A-Z_]+)=", commands, re.MULTILINE))
    assert {variable for variable in used if f"`{variable}`" not in "\n".join(prose(name))} == set()


async def test_commands_run_on_the_simulator(tmp_path: pathlib.Path) -> None:
    if shutil.which("kubectl") is None:
        pytest.skip("kubectl is not installed")
    simulation = sim.Simulation(sim.load("stuck-handler"))
    simulation.world.engine.tolerant = True  # somebody else deletes pods, too
    simulation.advance(300)
    await simulation.serve()
    try:
        failed = await _failing(simulation, simulation.kubeconfig(tmp_path / "kubeconfig"))
    finally:
        await simulation.stop()
    assert not failed, "\n".join(f"{block}\n    {said}" for block, said in failed.items())


async def _failing(simulation: sim.Simulation, kubeconfig: pathlib.Path) -> dict[str, str]:
    """Commands that do not run, and what they say."""
    environment = os.environ | {
        "KUBECONFIG": str(kubeconfig),
        "HOME": str(kubeconfig.parent),
        "KUBEVIRT_NAMESPACE": "kubevirt",
        "KUBEVIRT": "kubevirt",
        "GUEST_NAMESPACE": "team-a",
        "GUEST": "vm-a0",
        "COMPONENT": "virt-controller",
        "NODE": "worker-3",
        "CRD": "virtualmachineexports.export.kubevirt.io",
        "OLD_VERSION": "v1.3.0",
        "EXPORTER_NAMESPACE": "kubevirt",
    }
    failed = {}
    for name in NAMES:
        for block in blocks(name, "sh"):
            for variable, namespace in {"POD": "kubevirt", "OLD_LAUNCHER": "team-a"}.items():
                environment[variable] = next(simulation.cluster.list("pods", namespace))["metadata"]["name"]
            lines = [line for line in block.splitlines() if not NOT_SIMULATED.search(line)]
            done = await asyncio.create_subprocess_exec(
                "sh", "-euc", "\n".join(lines), env=environment, stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
            )  # fmt: skip
            said, _ = await done.communicate()
            if done.returncode:
                failed[f"{name}: {block}"] = said.decode()
    return failed
