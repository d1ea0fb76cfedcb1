"""The chart as tests see it: the value files of deploy/chart/ci and what the chart makes of each."""

import functools
import pathlib
from collections.abc import Iterator
from typing import Any, Final

import yaml

from deploy.src import install
from tests.conftest import REPOSITORY

CHART: Final = REPOSITORY / "deploy" / "chart"
CASES: Final[dict[str, pathlib.Path]] = {
    path.name.removesuffix("-values.yaml"): path for path in sorted((CHART / "ci").glob("*-values.yaml"))
}

Manifest = install.Manifest


def values(case: str) -> dict[str, Any]:
    loaded = yaml.safe_load(CASES[case].read_text())
    return loaded if isinstance(loaded, dict) else {}


@functools.cache
def rendered(case: str) -> tuple[Manifest, ...]:
    """All objects of a case. They are shared: do not change them."""
    return tuple(install.manifests(CHART, values(case)))


def of_kind(case: str, *kinds: str) -> Iterator[Manifest]:
    return (manifest for manifest in rendered(case) if manifest["kind"] in kinds)


def one(case: str, kind: str) -> Manifest:
    [manifest] = of_kind(case, kind)
    return manifest


def pod(case: str) -> dict[str, Any]:
    """The spec of the Deployment's pods."""
    spec = one(case, "Deployment")["spec"]["template"]["spec"]
    assert isinstance(spec, dict)
    return spec
