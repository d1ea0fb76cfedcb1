"""Runbooks: one for each alert, in the house's form; its queries ask for what exists, its commands run.

Commands run on the simulator, in the middle of an upgrade, and those that change something change it there.
"""

import asyncio
import json
import os
import pathlib
import re
import shutil
import subprocess
from typing import Any

import pytest

from exporter import sim
from exporter.cli import run
from tests.alerts import expressions
from tests.alerts.test_rules import ALERTS, RECORDS
from tests.conftest import REPOSITORY
from tests.real_apiserver import ADMIN, RealApiServer

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


@pytest.mark.parametrize("name", NAMES)
def test_who_stops_the_update_of_guests_is_shown_first_what_to_set_again(name: str) -> None:
    for block in blocks(name, "sh"):
        shown, stopped, _ = block.partition('"workloadUpdateMethods":[]')
        assert not stopped or "{.spec.workloadUpdateStrategy.workloadUpdateMethods}" in shown


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


def test_commands_about_reports_show_the_findings_of_the_latest(
    real_apiserver: RealApiServer, tmp_path: pathlib.Path
) -> None:
    """On a real API server: the simulator has no reports."""
    kubectl = Kubectl(real_apiserver, tmp_path / "kubeconfig")
    kubectl("apply", "--filename", str(REPOSITORY / "deploy" / "chart" / "crds"))
    kubectl("wait", "--for=condition=Established", "crd/upgradereports.kubevirt-upgrade-exporter.io")
    try:
        for name in ("20260702-081455-v1.3.0", "20260819-091203-v1.4.0"):
            kubectl("create", "--filename=-", said=json.dumps(report(name)))
            findings = [{"check": "late", "severity": "critical", "summary": f"late in {name}"}]
            kubectl("patch", "upgradereport", name, "--subresource=status", "--type=merge",
                    "--patch", json.dumps({"status": {"findings": findings}}))  # fmt: skip
        said = {
            line: kubectl.shell(line)
            for text in NAMES
            for block in blocks(text, "sh")
            for line in block.splitlines()
            if "upgradereports" in line
        }
    finally:
        kubectl("delete", "upgradereports", "--all")
    in_words = [text for line, text in said.items() if "findings" in line]
    assert in_words == ["critical late in 20260819-091203-v1.4.0\n"]
    assert all("20260819-091203-v1.4.0" in text for text in said.values())


def report(name: str) -> dict[str, Any]:
    version = "kubevirt-upgrade-exporter.io/v1alpha1"
    return {"apiVersion": version, "kind": "UpgradeReport", "metadata": {"name": name, "namespace": "default"}}


class Kubectl:
    """The program, as an administrator of a server."""

    def __init__(self, server: RealApiServer, config: pathlib.Path) -> None:
        if shutil.which("kubectl") is None:
            pytest.skip("kubectl is not installed")
        cluster = {"server": server.url, "certificate-authority": str(server.ca_file)}
        content = {
            "current-context": "it",
            "contexts": [{"name": "it", "context": {"cluster": "it", "user": "it"}}],
            "clusters": [{"name": "it", "cluster": cluster}],
            "users": [{"name": "it", "user": {"token": ADMIN}}],
        }
        config.write_text(json.dumps(content))
        self._environment = os.environ | {"KUBECONFIG": str(config), "HOME": str(config.parent)}

    def __call__(self, *arguments: str, said: str = "") -> str:
        return self._run(["kubectl", *arguments], said)

    def shell(self, command: str) -> str:
        return self._run(["sh", "-euc", command], "")

    def _run(self, command: list[str], said: str) -> str:
        done = subprocess.run(command, input=said, capture_output=True, text=True, check=False, env=self._environment)
        assert done.returncode == 0, done.stderr
        return done.stdout


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
