"""Versions: the page says what runs where, and says nothing of what it does not know."""

from exporter.concerns import versions
from exporter.concerns.versions import Versions
from exporter.model import resources
from exporter.model.changes import Sync
from tests import builders
from tests.builders import API, CONTROLLER, HANDLER, NEW, OLD, OPERATOR
from tests.unit.concerns.streams import Stream


def cluster() -> Stream[Versions]:
    """Everything listed: an operator, two handlers, one guest, one node."""
    stream = Stream(Versions())
    stream.lists(
        builders.kubevirt(),
        builders.workload(OPERATOR, desired=1),
        builders.pod(OPERATOR),
        builders.workload(HANDLER),
        builders.pod(HANDLER, "a"),
        builders.pod(HANDLER, "b"),
        builders.vmi(),
        builders.node(),
    )
    return stream


def test_pods_are_counted_by_component_version_and_readiness() -> None:
    stream = cluster()
    stream.put(builders.pod(HANDLER, "b", NEW, uid="b2", ready=False))
    assert stream.values(versions.PODS) == {
        (OPERATOR, OLD, "true"): 1,
        (OPERATOR, OLD, "false"): 0,
        (HANDLER, OLD, "true"): 1,
        (HANDLER, OLD, "false"): 0,
        (HANDLER, NEW, "true"): 0,
        (HANDLER, NEW, "false"): 1,
    }


def test_a_component_without_pods_has_none_of_the_version_it_wants() -> None:
    stream = cluster()
    stream.put(builders.workload(API, NEW))
    assert stream.value(versions.PODS, API, NEW, "true") == 0
    assert stream.value(versions.SKEW) == 0


def test_pods_are_not_counted_before_they_are_listed() -> None:
    stream = Stream(Versions())
    stream.lists(builders.workload(HANDLER), builders.pod(HANDLER), without=[resources.PODS])
    assert stream.values(versions.PODS) == {}
    assert stream.value(versions.SKEW) is None
    stream.sync(resources.PODS, Sync.FORBIDDEN)
    assert stream.values(versions.PODS) == {}


def test_a_pod_without_a_version_is_unknown() -> None:
    stream = cluster()
    stream.put(builders.pod(HANDLER, "b", ""))
    assert stream.value(versions.PODS, HANDLER, "unknown", "true") == 1
    assert stream.value(versions.SKEW) == 0


def test_more_than_ten_versions_are_other() -> None:
    stream = cluster()
    for minor in range(20):
        stream.put(builders.pod(HANDLER, f"n{minor}", f"v0.{minor}.0"))
    shown = {key[1]: value for key, value in stream.values(versions.PODS).items() if key[0] == HANDLER and value}
    assert len(shown) == 11
    assert shown["other"] == 11
    assert sum(shown.values()) == 22


def test_skew_is_between_the_oldest_and_the_newest_pod() -> None:
    stream = cluster()
    assert stream.value(versions.SKEW) == 0
    stream.put(builders.pod(HANDLER, "b", "v1.5.2"))
    assert stream.value(versions.SKEW) == 2


def test_a_component_shows_its_image_and_the_digest_a_ready_pod_runs() -> None:
    stream = cluster()
    image = builders.image_of(HANDLER, OLD)
    assert (HANDLER, OLD, image, f"sha256:{HANDLER}-{OLD}") in stream.values(versions.COMPONENT)
    stream.put(builders.workload(HANDLER, NEW), builders.pod(HANDLER, "b", NEW, uid="b2", ready=False))
    assert (HANDLER, NEW, builders.image_of(HANDLER, NEW), "") in stream.values(versions.COMPONENT)
    stream.put(builders.pod(HANDLER, "b", NEW, uid="b2"))
    assert (HANDLER, NEW, builders.image_of(HANDLER, NEW), f"sha256:{HANDLER}-{NEW}") in stream.values(
        versions.COMPONENT
    )
    assert len(stream.values(versions.COMPONENT)) == 2


def test_guests_are_counted_by_launcher_version() -> None:
    stream = cluster()
    stream.put(builders.vmi("two", NEW), builders.vmi("three", NEW), builders.vmi("four", phase="Scheduling"))
    assert stream.values(versions.VMIS) == {(OLD,): 1, (NEW,): 2}
    stream.drop(builders.vmi())
    assert stream.values(versions.VMIS) == {(NEW,): 2}


def test_a_launcher_named_by_digest_shows_its_beginning() -> None:
    assert versions.launcher_version("registry.example/virt-launcher@sha256:" + "ab" * 32) == "sha256:abababababab"
    assert versions.launcher_version("registry.example/virt-launcher:v1.4.0") == "v1.4.0"
    assert versions.launcher_version("registry.example/virt-launcher") == "unknown"
    assert versions.launcher_version("") == "unknown"


def test_guests_are_not_counted_where_they_may_not_be_read() -> None:
    stream = Stream(Versions())
    stream.lists(without=[resources.VMIS])
    stream.sync(resources.VMIS, Sync.FORBIDDEN)
    assert stream.values(versions.VMIS) == {}


def test_the_cr_says_what_is_observed_wanted_and_running() -> None:
    stream = cluster()
    stream.put(builders.kubevirt(NEW, OLD))
    assert stream.values(versions.KUBEVIRT) == {(OLD, NEW, NEW): 1}
    stream.put(builders.kubevirt(NEW, "", operator_version=""))
    assert stream.values(versions.KUBEVIRT) == {("unknown", NEW, "unknown"): 1}


def test_kubernetes_versions_follow_the_nodes() -> None:
    stream = cluster()
    stream.put(builders.node("node-b", kubelet_version="v1.32.0"), builders.node("node-c", kubelet_version=""))
    assert stream.values(versions.KUBERNETES) == {("v1.31.4",): 1, ("v1.32.0",): 1}
    stream.put(builders.node(kubelet_version="v1.32.0"))
    stream.drop(builders.node("node-c"))
    assert stream.values(versions.KUBERNETES) == {("v1.32.0",): 1}


def test_each_pair_of_kubevirt_and_kubernetes_is_looked_up() -> None:
    """KubeVirt 1.3 was validated on Kubernetes 1.28 to 1.30, KubeVirt 1.4 on 1.29 to 1.31."""
    stream = cluster()
    stream.put(builders.kubevirt(NEW, OLD), builders.node("node-b", kubelet_version="v9.9.9"))
    assert stream.values(versions.VALIDATED) == {(OLD, "v1.31.4"): 0, (NEW, "v1.31.4"): 1}


def test_a_controller_is_no_component_before_its_workload_is_known() -> None:
    stream = cluster()
    stream.put(builders.pod(CONTROLLER))
    assert not any(key[0] == CONTROLLER for key in stream.values(versions.PODS))


def test_a_restart_needs_nothing() -> None:
    stream = cluster()
    again = stream.restart(Versions())
    assert again.values(versions.PODS) == {}
    again.lists(builders.workload(HANDLER), builders.pod(HANDLER))
    assert again.value(versions.PODS, HANDLER, OLD, "true") == 1
