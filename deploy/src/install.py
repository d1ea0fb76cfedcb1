"""The chart rendered for those who do not use Helm: `kubectl apply -f`, kustomize."""

import pathlib
from collections.abc import Iterable, Mapping
from typing import Any, Final

import helm_python as helm
import yaml

from deploy.src.chart import NOTICE

Manifest = dict[str, Any]

NAMESPACE: Final = "kubevirt-upgrade-exporter"
_OF_HELM: Final = ("app.kubernetes.io/managed-by", "helm.sh/chart")
_FIRST: Final = (
    "Namespace",
    "CustomResourceDefinition",
    "NetworkPolicy",
    "ServiceAccount",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "Service",
    "PodDisruptionBudget",
)
"""Kinds that others need; the rest keeps the order of the templates."""


def manifests(
    chart: pathlib.Path, values: Mapping[str, Any] | None = None, *, namespace: str = NAMESPACE
) -> list[Manifest]:
    """All objects the chart makes of these values, its CRDs first, as Helm would install them.

    Raises helm_python.HelmError: the values are refused, or a template fails.
    """
    with helm.Chart.load(chart) as loaded:
        loaded.validate_schema(dict(values or {}))
        rendered = loaded.render(dict(values or {}), name=NAMESPACE, namespace=namespace)
        texts = [
            *(crd["data"] for crd in loaded.crds),
            *(text for path, text in sorted(rendered.items()) if not path.endswith(".txt")),
        ]
    return [manifest for text in texts for manifest in yaml.load_all(text, yaml.CSafeLoader) if manifest]


def text(chart: pathlib.Path, *, values: Mapping[str, Any], heading: str, only: Iterable[str] = ()) -> str:
    """The objects (of the kinds `only`, if given) as one YAML text that does not mention Helm."""
    objects = manifests(chart, values)
    kinds = set(only)
    if kinds:
        objects = [manifest for manifest in objects if manifest["kind"] in kinds]
    else:
        objects = sorted([_namespace(), *objects], key=_place)
    for manifest in objects:
        _forget_helm(manifest)
    documents = yaml.safe_dump_all(objects, sort_keys=False, width=120, explicit_start=True, allow_unicode=True)
    return f"# {heading}\n# {NOTICE}\n{documents}"


def _namespace() -> Manifest:
    return {
        "apiVersion": "v1",
        "kind": "Namespace",
        "metadata": {
            "name": NAMESPACE,
            "labels": {
                "app.kubernetes.io/name": NAMESPACE,
                "pod-security.kubernetes.io/enforce": "restricted",
                "pod-security.kubernetes.io/warn": "restricted",
            },
        },
    }


def _place(manifest: Manifest) -> int:
    return _FIRST.index(manifest["kind"]) if manifest["kind"] in _FIRST else len(_FIRST)


def _forget_helm(manifest: Manifest) -> None:
    for label in _OF_HELM:
        manifest["metadata"].get("labels", {}).pop(label, None)
