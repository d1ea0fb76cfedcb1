"""What each kind's JSON becomes: real samples, and small literal objects for what the samples do not show."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from exporter.kube.decode import DECODERS, Malformed
from exporter.model import objects

META = {"name": "it", "namespace": "ns", "uid": "u-1"}
T0 = 1_787_130_000.0  # 2026-08-19T09:00:00Z
STAMP = {"kubevirt.io/install-strategy-version": "v1.3.0", "kubevirt.io/install-strategy-identifier": "abc"}


def decode(kind: str, value: Any) -> Any:  # noqa: ANN401 - each kind has a type of its own
    result = DECODERS[kind].item(json.dumps(value).encode())
    assert not isinstance(result, Malformed), result
    return result


def template(label: str = "virt-operator", **container: Any) -> dict[str, Any]:  # noqa: ANN401
    return {
        "metadata": {"labels": {"kubevirt.io": label}},
        "spec": {"containers": [{"name": label, **container}], "terminationGracePeriodSeconds": 330},
    }


# --- every kind


@pytest.mark.parametrize("kind", DECODERS)
def test_a_name_is_enough(kind: str) -> None:
    """Whatever else the API leaves out or leaves null is empty, not an error."""
    thing = decode(kind, {"metadata": {"name": "it"}})
    assert (thing.key, thing.uid, thing.created, thing.deleted) == ("it", "", None, None)
    fields = ("namespace", "uid", "creationTimestamp", "labels", "annotations", "ownerReferences", "managedFields")
    metadata = {"name": "it", **dict.fromkeys(fields)}
    assert decode(kind, {"metadata": metadata, "spec": None, "status": None, "webhooks": None}) == thing
    assert decode(kind, {"metadata": metadata, "spec": {}, "status": {}, "webhooks": []}) == thing


@pytest.mark.parametrize("kind", DECODERS)
def test_identity_and_times(kind: str) -> None:
    times = {"creationTimestamp": "2026-08-19T09:00:00Z", "deletionTimestamp": "2026-08-19T11:00:30+02:00"}
    thing = decode(kind, {"metadata": {**META, **times}})
    assert (thing.key, thing.namespace, thing.name) == ("ns/it", "ns", "it")
    assert (thing.uid, thing.created, thing.deleted) == ("u-1", T0, T0 + 30)


@pytest.mark.parametrize("kind", DECODERS)
@pytest.mark.parametrize("metadata", [{}, {"name": 7}, {"name": None}, None, []], ids=str)
def test_without_a_name_there_is_no_object(kind: str, metadata: object) -> None:
    result = DECODERS[kind].item(json.dumps({"metadata": metadata}).encode())
    assert isinstance(result, Malformed)
    assert result.key == ""


# --- the KubeVirt CR


def test_kubevirt_in_mid_upgrade(sample: Callable[[str], Any]) -> None:
    cr = decode("kubevirt", sample("kubevirt-cr-mid-upgrade"))
    assert (cr.key, cr.phase, cr.generation, cr.observed_generation) == ("kubevirt/kubevirt", "Deployed", 2, 2)
    assert (cr.target_version, cr.observed_version, cr.operator_version) == ("v1.3.0", "v1.2.0", "v1.3.0")
    assert cr.target_id
    assert cr.observed_id
    assert cr.target_id != cr.observed_id
    assert cr.update_methods == ("LiveMigrate",)
    assert [(c.type, c.status, c.reason) for c in cr.conditions] == [
        ("Available", "True", "UpdateInProgress"),
        ("Progressing", "True", "UpdateInProgress"),
        ("Degraded", "True", "UpdateInProgress"),
    ]
    assert cr.condition("Created") is None


def test_kubevirt_condition_without_a_time(sample: Callable[[str], Any]) -> None:
    """KubeVirt leaves lastTransitionTime null on a condition that is new."""
    cr = decode("kubevirt", sample("kubevirt-cr-deployed"))
    assert cr.condition("Created").since is None
    assert cr.condition("Available").since is not None


def test_kubevirt_without_a_count_of_outdated_guests_does_not_say_none() -> None:
    field = "outdatedVirtualMachineInstanceWorkloads"
    assert decode("kubevirt", {"metadata": META, "status": {}}).outdated is None
    assert decode("kubevirt", {"metadata": META, "status": {field: 0}}).outdated == 0


# --- workloads


def test_handler_in_mid_rollout(sample: Callable[[str], Any]) -> None:
    handler = decode("daemonset", sample("virt-handler-daemonset-mid-rollout"))
    assert (handler.kind, handler.label, handler.managed) == ("DaemonSet", "virt-handler", True)
    assert (handler.desired, handler.updated, handler.max_unavailable, handler.grace) == (12, 5, "10%", 330)
    assert handler.version == "v1.3.0"
    assert handler.identifier


def test_controller_names_the_launcher_image(sample: Callable[[str], Any]) -> None:
    controller = decode("deployment", sample("virt-controller-deployment-mid-rollout"))
    assert controller.launcher_image == "quay.io/kubevirt/virt-launcher:v1.3.0"
    assert controller.image == "quay.io/kubevirt/virt-controller:v1.3.0"
    assert (controller.kind, controller.desired, controller.managed) == ("Deployment", 2, True)


def test_operator_tells_its_version_without_a_stamp(sample: Callable[[str], Any]) -> None:
    operator = decode("deployment", sample("virt-operator-deployment"))
    assert (operator.label, operator.managed, operator.identifier) == ("virt-operator", False, "")
    assert operator.version == "v1.3.0"


@pytest.mark.parametrize(
    ("pods", "version"),
    [
        (template(image="r/virt-operator:v9", env=[{"name": "KUBEVIRT_VERSION", "value": "v1.4.0"}]), "v1.4.0"),
        (template(image="r/virt-operator:v1.4.1", env=[{"name": "OTHER", "valueFrom": {}}]), "v1.4.1"),
        (template(image="r:5000/virt-operator:v1.4.1", env=None), "v1.4.1"),
        (template(image="r/virt-operator@sha256:0123"), ""),
        (template(), ""),
        (template("other", image="r/other:v2", env=[{"name": "KUBEVIRT_VERSION", "value": "v1"}]), ""),
        ({"metadata": {"annotations": STAMP}, "spec": {"containers": []}}, "v1.3.0"),
    ],
    ids=["environment", "tag", "registry with port", "digest", "no image", "not the operator", "stamp"],
)
def test_version_of_a_template(pods: object, version: str) -> None:
    workload = decode("deployment", {"metadata": META, "spec": {"template": pods}})
    assert workload.version == version


def test_label_of_the_pods_stands_in_for_the_label_of_the_deployment() -> None:
    """OLM makes virt-operator's Deployment from a template and may leave its own labels out."""
    assert decode("deployment", {"metadata": META, "spec": {"template": template()}}).label == "virt-operator"


@pytest.mark.parametrize(
    ("arguments", "image"),
    [
        (["--launcher-image", "r/l:v1", "-v", "2"], "r/l:v1"),
        (["--launcher-image=r/l:v1"], "r/l:v1"),
        (["--launcher-image"], ""),
        (["--launcher-images", "r/l:v1"], ""),
        (None, ""),
    ],
)
def test_launcher_image_argument(arguments: list[str] | None, image: str) -> None:
    workload = decode(
        "deployment", {"metadata": META, "spec": {"template": template("virt-controller", args=arguments)}}
    )
    assert workload.launcher_image == image


@pytest.mark.parametrize(("value", "text"), [(1, "1"), ("10%", "10%"), (0, "0"), (None, "")])
def test_max_unavailable_is_a_number_or_a_share(value: object, text: str) -> None:
    rolling = {"rollingUpdate": {"maxUnavailable": value}}
    assert decode("daemonset", {"metadata": META, "spec": {"updateStrategy": rolling}}).max_unavailable == text
    assert decode("deployment", {"metadata": META, "spec": {"strategy": rolling}}).max_unavailable == text


def test_job_that_prepares_an_upgrade() -> None:
    job = decode(
        "job",
        {
            "metadata": {**META, "labels": {"kubevirt.io/install-strategy": ""}, "annotations": STAMP},
            "status": {"conditions": [{"type": "Failed", "status": "True"}], "active": None, "succeeded": 0},
        },
    )
    assert (job.install_strategy, job.version, job.failed, job.active) == (True, "v1.3.0", True, 0)
    assert not decode("job", {"metadata": META}).install_strategy


# --- pods


def pod(*, statuses: Any = None, inits: Any = None, **metadata: Any) -> objects.Pod:  # noqa: ANN401
    value = {
        "metadata": {**META, **metadata},
        "spec": {"containers": [{"name": "first", "image": "i:1"}, {"name": "second", "image": "i:2"}]},
        "status": {"containerStatuses": statuses, "initContainerStatuses": inits},
    }
    result = decode("pod", value)
    assert isinstance(result, objects.Pod)
    return result


def test_handler_pod(sample: Callable[[str], Any]) -> None:
    handler = decode("pod", sample("virt-handler-pod-old-version"))
    assert (handler.label, handler.managed, handler.owner_kind) == ("virt-handler", True, "DaemonSet")
    assert handler.version == "v1.2.0"
    assert handler.node
    assert (handler.vmi_uid, handler.migration_uid) == ("", "")


def test_launcher_pod_of_a_migration(sample: Callable[[str], Any]) -> None:
    """The compute container speaks for a launcher, wherever it stands."""
    value = sample("virt-launcher-pod-migration-target")
    launcher = decode("pod", value)
    labels = value["metadata"]["labels"]
    assert (launcher.label, launcher.managed) == ("virt-launcher", False)
    assert launcher.vmi_uid == labels["kubevirt.io/created-by"]
    assert launcher.migration_uid == labels["kubevirt.io/migrationJobUID"]
    assert "virt-launcher" in launcher.image
    value["spec"]["containers"].reverse()
    assert decode("pod", value) == launcher


def test_main_container_is_found_by_name() -> None:
    """The API keeps no order among the statuses."""
    state = {"running": {"startedAt": None}}
    result = pod(statuses=[{"name": "second"}, {"name": "first", "state": state, "imageID": "sha", "restartCount": 2}])
    assert (result.image, result.image_id, result.running, result.restarts) == ("i:1", "sha", True, 2)


@pytest.mark.parametrize(
    ("reasons", "waiting"),
    [
        (["ContainerCreating", "ImagePullBackOff"], "ImagePullBackOff"),
        (["PodInitializing", "ContainerCreating"], "PodInitializing"),
        ([None, "CrashLoopBackOff"], ""),
        ([], ""),
    ],
)
def test_trouble_is_told_before_starting(reasons: list[str | None], waiting: str) -> None:
    statuses = [
        {"name": name, "state": {"waiting": {"reason": reason}}} for name, reason in zip("ab", reasons, strict=False)
    ]
    assert pod(statuses=statuses).waiting == waiting


def test_init_container_that_cannot_start_is_told() -> None:
    init = [{"name": "i", "state": {"waiting": {"reason": "ErrImagePull"}}}]
    main = [{"name": "first", "state": {"waiting": {"reason": "PodInitializing"}}}]
    assert pod(statuses=main, inits=init).waiting == "ErrImagePull"


@pytest.mark.parametrize(
    ("state", "last", "terminated"),
    [
        ({"terminated": {"reason": "OOMKilled"}}, None, "OOMKilled"),
        ({"waiting": {"reason": "CrashLoopBackOff"}}, {"terminated": {"reason": "Error"}}, "Error"),
        ({"running": {}}, {"terminated": {"reason": "Error"}}, ""),
        (None, {}, ""),
    ],
)
def test_why_the_main_container_ended(state: object, last: object, terminated: str) -> None:
    assert pod(statuses=[{"name": "first", "state": state, "lastState": last}]).terminated == terminated


def test_owner_is_the_one_that_controls() -> None:
    result = pod(ownerReferences=[{"kind": "A", "name": "a"}, {"kind": "B", "name": "b", "controller": True}])
    assert (result.owner_kind, result.owner) == ("B", "b")


def test_eviction_is_seen_on_the_pod() -> None:
    conditions = [
        {"type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI"},
        {"type": "Ready", "status": "False"},
    ]
    result = decode("pod", {"metadata": META, "status": {"conditions": conditions, "reason": "Evicted"}})
    assert (result.disrupted, result.ready, result.reason) == ("EvictionByEvictionAPI", False, "Evicted")


# --- guests


def test_running_vm(sample: Callable[[str], Any]) -> None:
    vm = decode("vm", sample("vm-running"))
    assert (vm.key, vm.run_strategy, vm.stop_requests) == ("prod/web-01", "Always", ())


@pytest.mark.parametrize(
    ("spec", "strategy"),
    [
        ({"runStrategy": "Manual"}, "Manual"),
        ({"running": True}, "Always"),
        ({"running": False}, "Halted"),
        ({"running": None}, ""),
        ({"runStrategy": None, "running": False}, "Halted"),
    ],
)
def test_run_strategy(spec: object, strategy: str) -> None:
    assert decode("vm", {"metadata": META, "spec": spec}).run_strategy == strategy


def test_stop_requests_name_instances() -> None:
    requests = [{"action": "Stop", "uid": "a"}, {"action": "Start"}, {"action": "Stop"}, {"action": "Stop", "uid": "b"}]
    assert decode("vm", {"metadata": META, "status": {"stateChangeRequests": requests}}).stop_requests == ("a", "b")


def test_last_manager_of_a_vm() -> None:
    """Writers of subresources do not count; of two in the same second the later entry does."""
    fields = [
        {"manager": "kubectl", "time": "2026-08-19T08:00:00Z"},
        {"manager": "one", "time": "2026-08-19T09:00:00Z"},
        {"manager": "two", "time": "2026-08-19T09:00:00Z"},
        {"manager": "virt-controller", "time": "2026-08-19T10:00:00Z", "subresource": "status"},
        {"manager": "nobody", "time": None},
    ]
    assert decode("vm", {"metadata": {**META, "managedFields": fields}}).spec_manager == "two"
    assert decode("vm", {"metadata": META}).spec_manager == ""


def test_guest_before_during_and_after_a_migration(sample: Callable[[str], Any]) -> None:
    before, during, after = (
        decode("vmi", sample(f"vmi-{step}")) for step in ("running-outdated", "migrating", "migrated")
    )
    assert {guest.uid for guest in (before, during, after)} == {before.uid}
    assert {guest.phase for guest in (before, during, after)} == {"Running"}
    assert (before.owned, before.agent, before.migratable) == (True, True, True)
    assert (during.migration_completed, after.migration_completed) == (False, True)
    assert during.migration_uid == after.migration_uid != ""
    assert (before.node, after.node) == ("worker-03", "worker-05")
    assert before.launcher_image != after.launcher_image


def test_each_part_of_a_guest_is_where_it_belongs() -> None:
    """They are handed over by position."""
    times = {"creationTimestamp": "2026-01-01T00:00:01Z", "deletionTimestamp": "2026-01-01T00:00:02Z"}
    conditions = [
        {"type": "Paused", "status": "True", "reason": "ByUser"},
        {"type": "LiveMigratable", "status": "False", "reason": "DisksNotLiveMigratable"},
        {"type": "AgentConnected", "status": "True"},
    ]
    status = {
        "phase": "Failed",
        "reason": "NodeUnresponsive",
        "nodeName": "n1",
        "launcherContainerImageVersion": "launcher:v1",
        "conditions": conditions,
        "migrationState": {"migrationUid": "m", "completed": True},
        "evacuationNodeName": "n2",
        "machine": {"type": "q35"},
    }
    owner = {"kind": "VirtualMachine", "name": "a", "controller": True}
    metadata = {"name": "a", "namespace": "ns", "uid": "u", "ownerReferences": [owner], **times}
    guest = decode("vmi", {"metadata": metadata, "status": status})
    assert guest == objects.Vmi(
        key="ns/a",
        uid="u",
        created=1767225601.0,
        deleted=1767225602.0,
        owned=True,
        phase="Failed",
        reason="NodeUnresponsive",
        node="n1",
        launcher_image="launcher:v1",
        ready=False,
        paused="ByUser",
        migratable=False,
        not_migratable="DisksNotLiveMigratable",
        agent=True,
        migration_uid="m",
        migration_completed=True,
        migration_failed=False,
        evacuating="n2",
        machine="q35",
    )


def test_guest_failed_with_its_node(sample: Callable[[str], Any]) -> None:
    guest = decode("vmi", sample("vmi-failed-node-unresponsive"))
    assert (guest.phase, guest.reason, guest.ready) == ("Failed", "NodeUnresponsive", False)


def test_guest_conditions() -> None:
    conditions = [
        {"type": "Paused", "status": "True", "reason": "PausedIOError"},
        {"type": "LiveMigratable", "status": "False", "reason": "DisksNotLiveMigratable"},
        {"type": "Ready", "status": "True"},
    ]
    guest = decode("vmi", {"metadata": META, "status": {"conditions": conditions, "evacuationNodeName": "n1"}})
    assert (guest.paused, guest.migratable, guest.not_migratable) == ("PausedIOError", False, "DisksNotLiveMigratable")
    assert (guest.ready, guest.agent, guest.owned, guest.evacuating) == (True, False, False, "n1")


@pytest.mark.parametrize("status", ["False", "Unknown", None])
def test_paused_counts_only_where_true(status: str | None) -> None:
    condition = {"type": "Paused", "status": status, "reason": "PausedByUser"}
    assert decode("vmi", {"metadata": META, "status": {"conditions": [condition]}}).paused == ""


def test_migration_of_an_update(sample: Callable[[str], Any]) -> None:
    running, done = (decode("migration", sample(f"vmim-workload-update-{step}")) for step in ("running", "succeeded"))
    assert (running.trigger, running.vmi_key, running.final, running.ended) == (
        "workload_update",
        "prod/web-01",
        False,
        None,
    )
    assert (done.phase, done.final) == ("Succeeded", True)
    assert (done.source_node, done.target_node) == ("worker-03", "worker-05")
    assert running.started == done.started
    assert done.ended - done.started == 43


@pytest.mark.parametrize(
    ("annotations", "trigger"),
    [
        ({"kubevirt.io/workloadUpdateMigration": ""}, "workload_update"),
        ({"kubevirt.io/evacuationMigration": "node"}, "evacuation"),
        ({}, "user"),
        (None, "user"),
    ],
)
def test_trigger_of_a_migration(annotations: object, trigger: str) -> None:
    assert decode("migration", {"metadata": {**META, "annotations": annotations}}).trigger == trigger


def test_migration_without_state_takes_times_from_its_phases() -> None:
    steps = [("Scheduling", "09:00:01"), ("Failed", "09:00:30")]
    transitions = [{"phase": phase, "phaseTransitionTimestamp": f"2026-08-19T{time}Z"} for phase, time in steps]
    value = {"metadata": META, "status": {"phase": "Failed", "phaseTransitionTimestamps": transitions}}
    failed = decode("migration", value)
    assert (failed.started, failed.ended) == (T0 + 1, T0 + 30)


# --- the cluster


def test_node_during_a_handler_restart(sample: Callable[[str], Any]) -> None:
    node = decode("node", sample("node-during-handler-restart"))
    assert (node.key, node.kubevirt_schedulable, node.heartbeat) == ("worker-07", False, T0 + 86_400 + 137)
    assert (node.ready, node.unschedulable, node.control_plane) == (None, False, False)


@pytest.mark.parametrize(("status", "ready"), [("True", True), ("False", False), ("Unknown", None), (None, None)])
def test_node_ready(status: str | None, ready: object) -> None:
    value = {"metadata": {"name": "n"}, "status": {"conditions": [{"type": "Ready", "status": status}]}}
    assert decode("node", value).ready is ready


@pytest.mark.parametrize("text", ["", "soon", "2026-08-19T09:00:00", None])
def test_heartbeat_that_is_no_time_says_nothing(text: str | None) -> None:
    assert decode("node", {"metadata": {"name": "n", "annotations": {"kubevirt.io/heartbeat": text}}}).heartbeat is None


@pytest.mark.parametrize("role", ["control-plane", "master"])
def test_control_plane_node(role: str) -> None:
    node = decode("node", {"metadata": {"name": "n", "labels": {f"node-role.kubernetes.io/{role}": ""}}})
    assert node.control_plane
    assert node.kubevirt_schedulable is None


def test_lease(sample: Callable[[str], Any]) -> None:
    lease = decode("lease", sample("lease-virt-controller"))
    assert (lease.holder, lease.duration) == ("virt-controller-7d9c6b8f54-4lq2m", 15)
    assert lease.renewed == pytest.approx(T0 + 86_400 + 550.881204, abs=1e-6)
    assert lease.acquired == pytest.approx(T0 + 86_400 + 271.204117, abs=1e-6)
    assert lease.transitions == 4
    assert decode("lease", {"metadata": META}).duration == 15


def test_crd_with_two_stored_versions(sample: Callable[[str], Any]) -> None:
    crd = decode("crd", sample("crd-virtualmachineexports-storedversions"))
    assert (crd.key, crd.group, crd.plural) == (
        "virtualmachineexports.export.kubevirt.io",
        "export.kubevirt.io",
        "virtualmachineexports",
    )
    assert [(v.name, v.served, v.storage) for v in crd.versions] == [("v1alpha1", True, False), ("v1beta1", True, True)]
    assert crd.stored == ("v1alpha1", "v1beta1")


def test_apiservice(sample: Callable[[str], Any]) -> None:
    service = decode("apiservice", sample("apiservice-subresources"))
    assert (service.group, service.version) == ("subresources.kubevirt.io", "v1")
    assert (service.aggregated, service.available) == (True, True)
    local = decode("apiservice", {"metadata": {"name": "v1."}, "spec": {"service": None}})
    assert (local.aggregated, local.available) == (False, None)


def test_webhook_configuration_is_counted() -> None:
    metadata = {**META, "labels": {"app.kubernetes.io/managed-by": "kubevirt-operator"}, "annotations": STAMP}
    result = decode("webhooks", {"metadata": metadata, "webhooks": [{"name": "a", "rules": None}, {"name": "b"}]})
    assert (result.managed, result.version, result.webhooks) == (True, "v1.3.0", 2)


def test_metadata_of_anything() -> None:
    metadata = {**META, "generation": 3, "ownerReferences": [{"kind": "X", "name": "x"}]}
    result = decode("metadata", {"kind": "PartialObjectMetadata", "metadata": metadata})
    assert (result.generation, result.managed, result.owned) == (3, False, True)
