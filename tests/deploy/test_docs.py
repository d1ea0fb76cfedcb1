"""What the operator's pages say can be done: values render, configurations load, queries parse, names exist."""

import pathlib
import re
import shutil
import subprocess

import promql_parser
import pytest
import yaml

from deploy.src import install
from exporter import cli
from exporter.model import resources
from tests.conftest import REPOSITORY
from tests.deploy.rendering import CHART

PAGES = [
    REPOSITORY / "README.md",
    *(
        REPOSITORY / "docs" / f"{name}.md"
        for name in ("install", "security", "fleets", "sizing", "compare", "permissions")
    ),
]
BLOCK = re.compile(r"^ *```(\w+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)

pages = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


def blocks(page: pathlib.Path, language: str, heading: str = "") -> list[str]:
    """The code blocks of a language; those of files begin with their name, as a comment."""
    found = [text for each, text in BLOCK.findall(page.read_text()) if each == language]
    return [text for text in found if text.startswith(heading)]


def test_there_are_examples_of_each_kind() -> None:
    """Otherwise the tests below prove nothing."""
    for language, heading in (("yaml", "# values.yaml"), ("yaml", "# prometheus.yml"), ("promql", "")):
        assert any(blocks(page, language, heading) for page in PAGES)


@pages
def test_values_are_taken_by_the_chart(page: pathlib.Path) -> None:
    for text in blocks(page, "yaml", "# values.yaml"):
        assert install.manifests(CHART, yaml.safe_load(text))


@pages
def test_settings_are_taken_by_the_daemon(
    page: pathlib.Path, tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would end before it listens, and the pods would never be ready. Here it ends for want of credentials."""
    for text in blocks(page, "yaml", "# values.yaml"):
        (tmp_path / "config.yaml").write_text(yaml.safe_dump(yaml.safe_load(text).get("config", {})))
        arguments = ["--config", str(tmp_path / "config.yaml"), "--kubeconfig", str(tmp_path / "none")]
        assert cli.main(["run", *arguments]) == 3
        assert "no credentials for the cluster" in capsys.readouterr().err


def test_the_sizing_page_counts_the_lists() -> None:
    text = (REPOSITORY / "docs" / "sizing.md").read_text()
    assert re.findall(r"^(\d+) lists in pages", text, re.MULTILINE) == [str(len(resources.RESOURCES))]


@pages
def test_every_yaml_block_says_which_file_it_is(page: pathlib.Path) -> None:
    for text in blocks(page, "yaml"):
        assert re.match(r"# (values\.yaml|prometheus\.yml|kustomization\.yaml)\n", text)
        assert yaml.safe_load(text)


@pages
def test_prometheus_takes_its_configuration(page: pathlib.Path, tmp_path: pathlib.Path) -> None:
    promtool = shutil.which("promtool")
    texts = blocks(page, "yaml", "# prometheus.yml")
    if texts and promtool is None:
        pytest.skip("promtool is not installed")
    for text in texts:
        configuration = yaml.safe_load(text)
        for job in configuration.get("scrape_configs", []):
            job.pop("kubernetes_sd_configs", None)  # Debian's Prometheus is built without it
        (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(configuration))
        shutil.copytree(REPOSITORY / "alerts" / "rules", tmp_path / "rules", dirs_exist_ok=True)
        checked = subprocess.run(
            [str(promtool), "check", "config", tmp_path / "prometheus.yml"], capture_output=True, text=True, check=False
        )
        assert checked.returncode == 0, checked.stdout + checked.stderr


@pages
def test_queries_parse(page: pathlib.Path) -> None:
    for text in blocks(page, "promql"):
        promql_parser.parse(text)


@pages
def test_metrics_exist(page: pathlib.Path) -> None:
    known = set(re.findall(r"`(kubevirt_upgrade_\w+)`", (REPOSITORY / "docs" / "metrics.md").read_text()))
    rules = (REPOSITORY / "deploy" / "prometheusrule.yaml").read_text()
    known |= set(re.findall(r"record: (\S+)", rules))
    named = set(re.findall(r"(?<![\w:])(?:\w+:)?kubevirt_upgrade_\w+(?::\w+)?(?![\w.*])", page.read_text()))
    assert named <= known


@pages
def test_places_exist(page: pathlib.Path) -> None:
    text = page.read_text()
    links = {link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", text) if "://" not in link}
    assert [link for link in links if not (page.parent / link).exists()] == []
    named = re.findall(r"(?<![\w./-])((?:deploy|alerts|dashboards|docs)/[\w./*-]*)", text)
    assert [name for name in named if not list(REPOSITORY.glob(name.rstrip("/.")))] == []


@pages
def test_values_that_are_named_exist(page: pathlib.Path) -> None:
    """Such as `networkPolicy.apiServerPorts`."""
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    for name in re.findall(r"`([a-zA-Z]+\.(?!io`)[a-zA-Z.]+)`", page.read_text()):
        first, *rest = name.split(".")
        place = values.get(first)
        if isinstance(place, dict):
            for part in rest:
                assert part in place, name
                place = place[part]


def test_kustomize_takes_its_configuration_and_moves_kubevirts_namespace(tmp_path: pathlib.Path) -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed")
    [text] = blocks(REPOSITORY / "docs" / "install.md", "yaml", "# kustomization.yaml")
    (tmp_path / "kustomization.yaml").write_text(text)
    shutil.copy(REPOSITORY / "deploy" / "install.yaml", tmp_path)
    made = subprocess.run([kubectl, "kustomize", tmp_path], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    values = {"image": {"repository": "registry.example.com/kubevirt-upgrade-exporter"}}
    wanted = install.text(CHART, values=values | {"kubevirt": {"namespace": "openshift-cnv"}}, heading="it")
    assert _by_name(made.stdout) == _by_name(wanted)


def _by_name(text: str) -> dict[tuple[str, str], object]:
    return {(each["kind"], each["metadata"]["name"]): each for each in yaml.safe_load_all(text)}
