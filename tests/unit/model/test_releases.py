"""The tables of KubeVirt's releases: what they say, and that they say nothing beyond their ends."""

import pytest

from exporter.model import releases

EXPORTS = "virtualmachineexports.export.kubevirt.io"
SNAPSHOTS = "virtualmachinesnapshots.snapshot.kubevirt.io"
INSTANCETYPES = "virtualmachineinstancetypes.instancetype.kubevirt.io"


@pytest.mark.parametrize(
    ("kubevirt", "kubernetes", "expected"),
    [
        ("v1.2.0", "v1.29.4", True),
        ("v1.2.0", "v1.30.0", False),
        ("v1.9.0", "v1.36.2+build", True),
        ("v1.10.0", "v1.37.0", None),
        ("latest", "v1.30.0", None),
        ("v1.4.0", "unknown", None),
    ],
)
def test_validation_is_told_only_of_releases_in_the_table(
    kubevirt: str, kubernetes: str, *, expected: bool | None
) -> None:
    assert releases.validated(kubevirt, kubernetes) is expected


def test_no_kubernetes_minor_is_validated_for_both_1_2_and_1_5() -> None:
    minors = [f"1.{minor}" for minor in range(20, 40)]
    assert not [m for m in minors if releases.validated("v1.2.0", m) and releases.validated("v1.5.0", m)]


def test_every_release_is_validated_on_three_kubernetes_minors() -> None:
    for line in releases.LINES:
        assert sum(bool(releases.validated(f"{line}.0", f"1.{minor}")) for minor in range(20, 40)) == 3


@pytest.mark.parametrize(
    ("line", "served", "unserved", "storage"),
    [
        ("1.5", ("v1alpha1", "v1alpha2", "v1beta1"), (), "v1beta1"),
        ("1.6", ("v1beta1",), ("v1alpha1", "v1alpha2"), "v1beta1"),
        ("1.9", ("v1beta1",), (), "v1beta1"),
    ],
)
def test_an_entry_holds_until_the_next_one(
    line: str, served: tuple[str, ...], unserved: tuple[str, ...], storage: str
) -> None:
    assert releases.crd_versions(INSTANCETYPES, line) == releases.CrdVersions(served, unserved, storage)


def test_nothing_is_known_of_other_crds_and_releases() -> None:
    assert releases.crd_versions("datavolumes.cdi.kubevirt.io", "1.4") is None
    assert releases.crd_versions(EXPORTS, "1.10") is None
    assert releases.barred(EXPORTS, ["v1alpha1"], "1.10") is None


@pytest.mark.parametrize(
    ("crd", "stored", "line", "expected"),
    [
        (EXPORTS, ["v1alpha1", "v1beta1"], "1.9", ("v1alpha1",)),
        (EXPORTS, ["v1alpha1", "v1beta1"], "1.8", ()),
        (EXPORTS, ["v1beta1", "v1"], "1.8", ("v1",)),
        (SNAPSHOTS, ["v1alpha1", "v1beta1"], "1.2", ("v1beta1",)),
        (INSTANCETYPES, ["v1alpha1", "v1beta1"], "1.6", ()),
        (INSTANCETYPES, ["v1alpha1", "v1beta1"], "1.7", ("v1alpha1",)),
        ("plugins.plugin.kubevirt.io", ["v1alpha1"], "1.8", ()),
    ],
)
def test_a_stored_version_bars_releases_that_do_not_define_it(
    crd: str, stored: list[str], line: str, expected: tuple[str, ...]
) -> None:
    """Defined but unserved is enough; a CRD that the release does not have bars nothing."""
    assert releases.barred(crd, stored, line) == expected


def test_the_bars_of_each_step_back_are_the_storage_bumps() -> None:
    """Rolling back over 1.3, 1.5, 1.7 and 1.9 is barred by what these began to store."""
    bars: dict[str, list[str]] = {}
    for line in releases.LINES[1:]:
        previous = releases.neighbour(line, step=-1)
        assert previous is not None
        for crd in releases._CRDS:  # noqa: SLF001 - the table itself
            release = releases.crd_versions(crd, line)
            assert release is not None
            if release.storage and releases.barred(crd, [release.storage], previous):
                bars.setdefault(line, []).append(crd.partition(".")[0].removeprefix("virtualmachine"))
    assert bars == {
        "1.3": ["snapshots", "snapshotcontents", "restores", "exports"],
        "1.5": ["clones"],
        "1.7": ["pools"],
        "1.9": ["exports"],
    }


def test_storage_versions_are_served() -> None:
    for line in releases.LINES:
        for crd in releases._CRDS:  # noqa: SLF001 - the table itself
            release = releases.crd_versions(crd, line)
            assert release is not None
            assert not release.served or release.storage in release.served


def test_neighbours_end_with_the_table() -> None:
    assert releases.neighbour("1.4", step=1) == "1.5"
    assert releases.neighbour("1.9", step=1) is None
    assert releases.neighbour("1.0", step=-1) is None
    assert releases.neighbour("1.10", step=-1) is None


def test_neighbours_of_kubevirt_are_not_its_groups() -> None:
    assert {"kubevirt.io", "export.kubevirt.io", "subresources.kubevirt.io"} <= releases.GROUPS
    assert "cdi.kubevirt.io" not in releases.GROUPS
