"""virt-operator: from a new target to everything rolled over, in the order of the real one.

`upgrade` is what a user does (apply another operator, or set `imageTag`); `_reconcile` is what the leading operator
makes of it. A new target ends a reconciliation in progress, wherever it is.
"""

from __future__ import annotations

from collections.abc import Generator

from exporter.sim.catalogue import CRDS
from exporter.sim.refusals import JSON, Refusal
from exporter.sim.truth import Hop
from exporter.sim.world import beginning, migrations, releases, rollouts
from exporter.sim.world.engine import Process, Wait
from exporter.sim.world.objects import platform, workloads
from exporter.sim.world.objects.platform import NAMESPACE
from exporter.sim.world.releases import Definition, Release
from exporter.sim.world.world import KUBEVIRT, World

_RECONCILE_SECONDS = 5.0  # how often the operator looks again


def upgrade(world: World, release: Release, *, by_image_tag: bool = False) -> Process:
    """Bring KubeVirt to `release`, by another operator or by `spec.imageTag`."""
    old = world.target
    kind = "rollback" if releases.order(release.version) < releases.order(old.version) else "upgrade"
    by = "image-tag" if by_image_tag else "operator"
    world.truth.hops.append(Hop(kind=kind, old=old.version, new=release.version, by=by, at=world.now))
    if by_image_tag:
        world.mark(f"T0 set imageTag {release.version}")
        with world.cluster.edit(KUBEVIRT, "kubevirt", NAMESPACE) as body:
            body["spec"] |= {"imageTag": release.version, "imageRegistry": release.registry}
        yield world.about(1.5)
    else:
        world.mark(f"T0 apply {release.version} operator")
        yield 0.6
        with world.cluster.edit(CRDS, releases.KUBEVIRTS.name) as body:
            body["spec"] = platform.definition(releases.KUBEVIRTS, release)["spec"]
        yield 0.2
        world.operator = release
        rollouts.retemplate(world, workloads.OPERATOR, release)
        world.milestone("operator-changed", release)
        world.mark("operator manifest applied")
        world.spawn(_note_rollout(world, workloads.OPERATOR, "operator-rolled-out", release), "operator rollout")
        while (leader := world.leader[workloads.OPERATOR]) is None or leader.release != release:
            yield world.leader_changed[workloads.OPERATOR]
    if world.reconciliation is not None:
        world.engine.cancel(world.reconciliation)
    world.reconciliation = world.spawn(_reconcile(world, release), f"reconcile {release.version}")


def _note_rollout(world: World, component: str, name: str, release: Release) -> Process:
    while not rollouts.rolled_over(world, component):
        yield world.changed[component]
    world.milestone(name, release)


def _reconcile(world: World, release: Release) -> Process:
    observed = _kubevirt(world)["status"]["observedKubeVirtVersion"]
    upwards = releases.order(release.version) > releases.order(observed)
    world.target = release
    job = _create_install_job(world, release)
    yield 0.02
    _set_target(world, release)
    world.milestone("target-set", release)
    yield from _run_install_job(world, release, job)
    yield 0.2
    temporary = _temporary_webhook(world, release)
    yield 0.1
    while (problem := (yield from _write_definitions(world, release))) is not None:
        _fail(world, problem)
        yield 30.0
    world.milestone("definitions-changed", release)
    yield world.about(2.9)
    _stamp_services(world, release)
    world.milestone("webhooks-changed", release)
    yield 0.7
    first, *rest = _steps(upwards=upwards)
    yield from _roll(world, first, release, settle_certificates=True)
    for component in rest:
        if component == workloads.API or not upwards:
            yield world.about(4.2)  # after a Deployment; after the DaemonSet the operator is there at once
        yield from _roll(world, component, release)
    yield world.about(4.7)
    yield from _finish_definitions(world, release)
    yield world.about(16.0)
    if temporary:
        world.cluster.delete("validatingwebhookconfigurations.admissionregistration.k8s.io", temporary)
    _report(world, release)
    world.milestone("reported", release)
    yield world.about(4.0)
    _note_generations(world)
    world.fire(world.reported)
    world.spawn(migrations.updater(world, release), f"workload updates to {release.version}")


def _steps(*, upwards: bool) -> tuple[str, ...]:
    if upwards:
        return (workloads.HANDLER, workloads.CONTROLLER, workloads.API)
    return (workloads.API, workloads.CONTROLLER, workloads.HANDLER)


# -- the KubeVirt object ---------------------------------------------------------------------------------------------


def _kubevirt(world: World) -> JSON:
    return world.cluster.get(KUBEVIRT, "kubevirt", NAMESPACE)


def _set_target(world: World, release: Release) -> None:
    with world.cluster.edit(KUBEVIRT, "kubevirt", NAMESPACE) as body:
        status = body["status"]
        status |= {
            "operatorVersion": world.operator.version,
            "targetDeploymentConfig": release.config,
            "targetDeploymentID": release.id,
            "targetKubeVirtRegistry": release.registry,
            "targetKubeVirtVersion": release.version,
        }
        if status["observedDeploymentID"] != release.id:
            message = (
                f"Transitioning from previous version {status['observedKubeVirtVersion']} with registry "
                f"{status['observedKubeVirtRegistry']} to target version {release.version} using registry "
                f"{release.registry}"
            )
            states = {"Available": "True", "Progressing": "True", "Degraded": "True"}
            _set_conditions(world, status, states, "UpdateInProgress", message, gone=("Created", "Synchronized"))
        else:
            message = f"Deploying version {release.version} with registry {release.registry}"
            states = {"Available": "False", "Progressing": "True", "Degraded": "False"}
            _set_conditions(world, status, states, "DeploymentInProgress", message, gone=("Synchronized",))


def _fail(world: World, problem: str) -> None:
    message = f"An error occurred during deployment: {problem}"
    if message not in world.truth.blocked:
        world.truth.blocked.append(message)
        world.milestone("blocked", world.target)
    with world.cluster.edit(KUBEVIRT, "kubevirt", NAMESPACE) as body:
        states = {"Available": "False", "Progressing": "False", "Degraded": "True", "Synchronized": "False"}
        _set_conditions(world, body["status"], states, "DeploymentFailed", message)


def _report(world: World, release: Release) -> None:
    with world.cluster.edit(KUBEVIRT, "kubevirt", NAMESPACE) as body:
        status = body["status"]
        states = {"Available": "True", "Progressing": "False", "Degraded": "False"}
        _set_conditions(
            world, status, states, "AllComponentsReady", "All components are ready.", gone=("Synchronized",)
        )
        if not any(condition["type"] == "Created" for condition in status["conditions"]):
            status["conditions"].append({
                "lastProbeTime": world.stamp, "lastTransitionTime": None, "message": "All resources were created.",
                "reason": "AllResourcesCreated", "status": "True", "type": "Created",
            })  # fmt: skip
        status |= {
            "observedDeploymentConfig": release.config,
            "observedDeploymentID": release.id,
            "observedGeneration": body["metadata"]["generation"],
            "observedKubeVirtRegistry": release.registry,
            "observedKubeVirtVersion": release.version,
        }


def _set_conditions(
    world: World, status: JSON, states: dict[str, str], reason: str, message: str, *, gone: tuple[str, ...] = ()
) -> None:
    """As KubeVirt does: times move with any change, and a condition that is new has no transition time."""
    status["conditions"] = [one for one in status["conditions"] if one["type"] not in gone]
    have = {one["type"]: one for one in status["conditions"]}
    for kind, state in states.items():
        one = have.get(kind)
        if one is None:
            status["conditions"].append({
                "lastProbeTime": world.stamp, "lastTransitionTime": None, "message": message, "reason": reason,
                "status": state, "type": kind,
            })  # fmt: skip
        elif (one["status"], one["reason"], one.get("message")) != (state, reason, message):
            one |= {"lastProbeTime": world.stamp, "lastTransitionTime": world.stamp, "message": message,
                    "reason": reason, "status": state}  # fmt: skip


def _note_generations(world: World) -> None:
    with world.cluster.edit(KUBEVIRT, "kubevirt", NAMESPACE) as body:
        body["status"]["generations"] = beginning.generations(world)


# -- before the workloads --------------------------------------------------------------------------------------------


def _create_install_job(world: World, release: Release) -> JSON:
    body = platform.install_job(world.cluster.suffix(), release, operator=world.operator)
    return world.cluster.create("jobs.batch", body)


def _run_install_job(world: World, release: Release, job: JSON) -> Process:
    """A Job of the operator's image writes the manifests of the release into a ConfigMap."""
    cluster = world.cluster
    name = job["metadata"]["name"]
    pod = cluster.create("pods", workloads.job_pod(job, suffix=cluster.suffix()))["metadata"]["name"]
    with cluster.edit("jobs.batch", name, NAMESPACE) as body:
        body["status"] = {"active": 1, "ready": 0, "startTime": world.stamp}
    yield world.about(5.2)
    with cluster.edit("pods", pod, NAMESPACE) as body:
        body["spec"]["nodeName"] = world.control_planes[0]
        body["status"]["phase"] = "Running"
    with cluster.edit("jobs.batch", name, NAMESPACE) as body:
        body["status"]["ready"] = 1
    yield world.about(5.4)
    cluster.create("configmaps", platform.strategy(cluster.suffix(), release))
    yield world.about(1.1)
    with cluster.edit("pods", pod, NAMESPACE) as body:
        body["status"]["phase"] = "Succeeded"
    done = {"status": "True", "reason": "CompletionsReached", "message": "Reached expected number of succeeded pods",
            "lastProbeTime": world.stamp, "lastTransitionTime": world.stamp}  # fmt: skip
    with cluster.edit("jobs.batch", name, NAMESPACE) as body:
        body["status"] = {"startTime": body["status"]["startTime"], "completionTime": world.stamp, "succeeded": 1,
                          "ready": 0, "conditions": [{"type": "SuccessCriteriaMet", **done},
                                                     {"type": "Complete", **done}]}  # fmt: skip
    world.milestone("install-job-done", release)
    yield world.about(4.7)
    cluster.delete("jobs.batch", name, NAMESPACE)
    cluster.delete("pods", pod, NAMESPACE)


def _temporary_webhook(world: World, release: Release) -> str:
    """Kinds that are new in the release cannot be validated before virt-api is there; the webhook's name, or ""."""
    new = [what.plural for what in releases.definitions(release) if not world.cluster.exists(CRDS, what.name)]
    if not new:
        return ""
    body = platform.temporary_webhook(world.cluster.suffix(), release, new)
    created = world.cluster.create("validatingwebhookconfigurations.admissionregistration.k8s.io", body)
    return str(created["metadata"]["name"])


def _write_definitions(world: World, release: Release) -> Generator[Wait, None, str | None]:
    """Patch or create every definition; returns what the API server refused, or None."""
    for what in releases.definitions(release):
        body = platform.definition(what, release, status=what.status and not what.late_status)
        try:
            _write_definition(world, what, body)
        except Refusal as refusal:
            return f"unable to patch crd {{{what.name}}}: {refusal.message}"
        yield world.about(0.2, 0.8)
    _note_generations(world)
    return None


def _write_definition(world: World, what: Definition, body: JSON) -> None:
    if not world.cluster.exists(CRDS, what.name):
        world.cluster.create(CRDS, body)
        return
    with world.cluster.edit(CRDS, what.name) as old:
        old["metadata"]["annotations"] |= body["metadata"]["annotations"]
        old["spec"] = body["spec"]


def _finish_definitions(world: World, release: Release) -> Process:
    """The second pass: some kinds get their status subresource back only now."""
    for what in releases.definitions(release):
        if what.late_status and world.cluster.exists(CRDS, what.name):
            with world.cluster.edit(CRDS, what.name) as body:
                body["spec"] = platform.definition(what, release)["spec"]
            yield world.about(0.2, 0.8)
    world.milestone("definitions-finished", release)


def _stamp_services(world: World, release: Release) -> None:
    """Services, webhook configurations and APIServices are of the new release while virt-api is not."""
    targets = [("services", name, NAMESPACE) for name in platform.SERVICES]
    targets += [(resource, name, "") for name, resource in platform.WEBHOOK_CONFIGURATIONS.items()]
    targets += [
        ("apiservices.apiregistration.k8s.io", f"{version}.subresources.kubevirt.io", "")
        for version in ("v1", "v1alpha3")
    ]
    for resource, name, namespace in targets:
        with world.cluster.edit(resource, name, namespace) as body:
            body["metadata"]["annotations"] |= release.stamps


def _renew_certificates(world: World) -> Process:
    """New CA bundles reach webhooks and APIServices a little later than the stamps."""
    yield world.about(1.6)
    for name, resource in platform.WEBHOOK_CONFIGURATIONS.items():
        with world.cluster.edit(resource, name) as body:
            bundle = platform.ca_bundle(body["metadata"]["generation"])
            for hook in body["webhooks"]:
                hook["clientConfig"]["caBundle"] = bundle
    _note_generations(world)


# -- the workloads ---------------------------------------------------------------------------------------------------


def _roll(world: World, component: str, release: Release, *, settle_certificates: bool = False) -> Process:
    name = component.removeprefix("virt-")
    if settle_certificates:
        world.spawn(_renew_certificates(world), "certificates")
    if world.templates[component] != release:
        if component == workloads.HANDLER:
            yield from _roll_handler(world, release)
        else:
            rollouts.retemplate(world, component, release)
            world.milestone(f"{name}-started", release)
    while not rollouts.rolled_over(world, component):
        yield world.changed[component]
    world.milestone(f"{name}-rolled-out", release)
    _note_generations(world)


def _roll_handler(world: World, release: Release) -> Process:
    """One canary, then a tenth of the nodes at a time, then the old limit again."""
    rollouts.retemplate(world, workloads.HANDLER, release)
    world.milestone("handler-started", release)
    while not any(pod.release == release and pod.ready for pod in world.of(workloads.HANDLER)):
        yield world.changed[workloads.HANDLER]
    world.milestone("handler-canary-ready", release)
    yield world.about(_RECONCILE_SECONDS, 0.02)
    _set_max_unavailable(world, "10%")
    while not rollouts.rolled_over(world, workloads.HANDLER):
        yield world.changed[workloads.HANDLER]
    world.milestone("handler-rolled-out", release)
    yield world.about(_RECONCILE_SECONDS, 0.02)
    _set_max_unavailable(world, 1)


def _set_max_unavailable(world: World, value: int | str) -> None:
    with world.cluster.edit(rollouts.DAEMON_SETS, workloads.HANDLER, NAMESPACE) as body:
        body["spec"]["updateStrategy"]["rollingUpdate"]["maxUnavailable"] = value
    world.fire(world.changed[workloads.HANDLER])
