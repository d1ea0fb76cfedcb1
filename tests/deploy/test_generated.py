"""What `make generate` writes for this part is what is committed, and installs without Helm."""

import pathlib
import shutil
import subprocess

import pytest
import yaml

from deploy.src import __main__ as generate, install
from tests.conftest import REPOSITORY
from tests.deploy.rendering import CHART, rendered

DEPLOY = REPOSITORY / "deploy"


@pytest.mark.parametrize("path", sorted(generate.texts()), ids=lambda path: path.name)
def test_generated_files_are_up_to_date(path: pathlib.Path) -> None:
    assert path.read_text() == generate.texts()[path], "run `make generate`"


def test_copies_in_the_chart_are_up_to_date() -> None:
    copies = generate.copies()
    assert {copy.name: copy.read_bytes() for copy in copies} == {
        copy.name: original.read_bytes() for copy, original in copies.items()
    }
    assert set((CHART / "files").rglob("*.*")) == set(copies)


def test_install_is_what_the_chart_makes_by_default() -> None:
    """A namespace of its own comes with it, and nothing says Helm."""
    text = (DEPLOY / "install.yaml").read_text()
    [namespace, *rest] = yaml.safe_load_all(text)
    assert namespace["kind"] == "Namespace"
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"
    assert sorted(_identity(m) for m in rest) == sorted(_identity(m) for m in rendered("defaults"))
    assert "helm" not in text.lower().partition("---")[2]


def test_who_may_what_is_installed_before_who_needs_it() -> None:
    kinds = [manifest["kind"] for manifest in yaml.safe_load_all((DEPLOY / "install.yaml").read_text())]
    assert kinds[-1] == "Deployment"


def _identity(manifest: install.Manifest) -> tuple[str, str, str]:
    return manifest["kind"], manifest["metadata"].get("namespace", ""), manifest["metadata"]["name"]


def test_kustomize_takes_it() -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        pytest.skip("kubectl is not installed")
    built = subprocess.run([kubectl, "kustomize", DEPLOY], capture_output=True, text=True, check=True).stdout
    objects = {_identity(manifest) for manifest in yaml.safe_load_all(built)}
    assert objects == {_identity(m) for m in yaml.safe_load_all((DEPLOY / "install.yaml").read_text())}
