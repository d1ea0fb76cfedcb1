"""Manifests: nothing of the server, nothing secret, and a difference without what KubeVirt rewrites by itself."""

import base64
import copy
from typing import Any

import hypothesis
import pytest
import yaml
from hypothesis import strategies as st

from exporter.recording import manifests

VM: dict[str, Any] = {
    "apiVersion": "kubevirt.io/v1",
    "kind": "VirtualMachine",
    "metadata": {
        "name": "vm", "namespace": "team", "uid": "u", "resourceVersion": "7", "generation": 3,
        "creationTimestamp": "2026-01-01T00:00:00Z", "finalizers": ["kubevirt.io/virtualMachineControllerFinalize"],
        "managedFields": [{}], "ownerReferences": [{}], "selfLink": "/a", "labels": {"a": "b"},
        "annotations": {
            "kubectl.kubernetes.io/last-applied-configuration": "{}",
            "kubevirt.io/latest-observed-api-version": "v1",
            "kubevirt.io/storage-observed-api-version": "v1",
            "mine": "yes",
        },
    },
    "spec": {
        "runStrategy": "Always",
        "instancetype": {"name": "small", "revisionName": "vm-small-1"},
        "template": {
            "metadata": {
                "creationTimestamp": None, "labels": {"app": "a"},
                "annotations": {"kubevirt.io/ignitiondata": '{"passwordHash": "s3cret"}'},
            },
            "spec": {
                "domain": {"devices": {}},
                "volumes": [
                    {"name": "ci", "cloudInitNoCloud": {"userData": "password: s3cret", "networkData": "s3cret"}},
                    {"name": "drive", "cloudInitConfigDrive": {"userDataBase64": "czNjcmV0"}},
                    {"name": "ref", "cloudInitNoCloud": {"userDataSecretRef": {"name": "mine"}}},
                ],
            },
        },
    },
    "status": {"created": True},
}  # fmt: skip


def changed(*path: str, value: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """The clean VM with another value somewhere; None takes it out."""
    manifest = manifests.clean(VM)
    place = manifest
    for name in path[:-1]:
        place = place.setdefault(name, {})
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return manifest


def test_only_what_its_owner_wrote_is_kept() -> None:
    before = copy.deepcopy(VM)
    manifest = manifests.clean(VM)
    assert before == VM
    assert list(manifest) == ["apiVersion", "kind", "metadata", "spec"]
    assert manifest["metadata"] == {
        "name": "vm", "namespace": "team", "labels": {"a": "b"}, "annotations": {"mine": "yes"},
    }  # fmt: skip
    assert "creationTimestamp" not in manifest["spec"]["template"]["metadata"]
    assert manifest["spec"]["instancetype"] == VM["spec"]["instancetype"]


def test_first_boot_data_is_left_out_and_named() -> None:
    manifest = manifests.clean(VM)
    places = manifests.without_boot_data(manifest)
    text = manifests.as_yaml(manifest)
    assert "s3cret" not in text
    assert "czNjcmV0" not in text
    assert places == [
        "spec.template.metadata.annotations[kubevirt.io/ignitiondata]",
        "spec.template.spec.volumes[ci].cloudInitNoCloud.networkData",
        "spec.template.spec.volumes[ci].cloudInitNoCloud.userData",
        "spec.template.spec.volumes[drive].cloudInitConfigDrive.userDataBase64",
    ]
    volumes = manifest["spec"]["template"]["spec"]["volumes"]
    assert base64.b64decode(volumes[1]["cloudInitConfigDrive"]["userDataBase64"]).decode() == manifests.LEFT_OUT
    assert manifest["spec"]["template"]["metadata"] == {"labels": {"app": "a"}}
    assert volumes[2] == VM["spec"]["template"]["spec"]["volumes"][2]


@pytest.mark.parametrize("volumes", [None, [], "odd", [None], [{"name": "a"}], [{"cloudInitNoCloud": None}]])
def test_a_spec_of_another_shape_has_none(volumes: object) -> None:
    assert manifests.without_boot_data({"spec": {"template": {"spec": {"volumes": volumes}}}}) == []
    assert manifests.without_boot_data({"spec": None}) == []


def test_nothing_changed_is_no_difference() -> None:
    assert manifests.difference(manifests.clean(VM), manifests.clean(VM)) == []


@pytest.mark.parametrize(
    "after",
    [
        changed("spec", "template", "spec", "domain", "firmware", value={"uuid": "1"}),
        changed("spec", "template", "metadata", "annotations", "kubevirt.io/pci-topology-version", value="v3"),
        changed("spec", "template", "spec", "architecture", value="amd64"),
        changed("spec", "template", "spec", "domain", "machine", value={"type": "q35"}),
        changed("spec", "instancetype", "revisionName", value=None),
        changed("spec", "instancetype", "revisionName", value="vm-small-v1beta1-1"),
        changed("apiVersion", value="kubevirt.io/v1alpha3"),
        changed("metadata", "annotations", "kubevirt.io/storage-observed-api-version", value="v2"),
    ],
    ids=["firmware", "pci", "architecture", "machine", "revision moved", "revision renamed", "version", "observed"],
)
def test_what_kubevirt_rewrites_is_no_difference(after: dict[str, Any]) -> None:
    assert manifests.difference(manifests.clean(VM), after) == []


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        (("spec", "runStrategy"), "Halted", "+  runStrategy: Halted"),
        (("spec", "template", "spec", "domain", "cpu"), {"cores": 2}, "+          cores: 2"),
        (("metadata", "labels", "a"), "c", "+    a: c"),
        (("spec", "template"), None, "-  template:"),
        (("spec", "template", "spec", "domain", "firmware"), {"uuid": "1", "serial": "2"}, "+          serial: '2'"),
    ],
)
def test_what_somebody_else_changes_is_one(path: tuple[str, ...], value: object, line: str) -> None:
    assert line in manifests.difference(manifests.clean(VM), changed(*path, value=value))


def test_what_was_there_before_is_not_filled_in() -> None:
    """A firmware UUID that its owner had set, and that is another one now."""
    path = ("spec", "template", "spec", "domain", "firmware")
    assert manifests.difference(changed(*path, value={"uuid": "1"}), changed(*path, value={"uuid": "2"})) != []
    assert manifests.difference(changed(*path, value={"uuid": "1"}), manifests.clean(VM)) != []


TEXTS = st.text() | st.sampled_from(
    ["y", "N", "on", "1e3", "0o17", "1_000", "0x1f", "~", "null", "2001-01-01", "1:30", "-", "a: b", "# no", "=", "<<",
     "line\nline", " lead", "trail ", "tab\t", "%", "@", "é", "1.", ".5", "+1", "{}", "[]", "!x", "&a", "*a", "|", ">",
     "\x85", "a\u2028b\n"],
)  # fmt: skip
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=8,
)


@hypothesis.given(VALUES)
def test_what_is_written_is_read_again(value: object) -> None:
    assert yaml.safe_load(manifests.as_yaml({"it": value})) == {"it": value}
