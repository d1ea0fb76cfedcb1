"""The life of a pod of the control plane, as scheduler and kubelet write it: pending, started, ready, stopped, gone."""

from __future__ import annotations

from dataclasses import dataclass

from exporter.sim import times
from exporter.sim.refusals import JSON
from exporter.sim.world import nodes
from exporter.sim.world.engine import Process
from exporter.sim.world.objects import guests, launcher_pods, workloads
from exporter.sim.world.objects.platform import NAMESPACE
from exporter.sim.world.releases import Release
from exporter.sim.world.world import ControlPod, World


@dataclass(frozen=True, slots=True)
class Pace:
    """Seconds: to pull an image for the first time, from running to ready, from the signal to the end."""

    pull: float
    ready: float
    stop: float


_PACES = {
    workloads.OPERATOR: Pace(pull=3.2, ready=10.0, stop=0.2),
    workloads.API: Pace(pull=4.8, ready=20.0, stop=5.3),
    workloads.CONTROLLER: Pace(pull=5.6, ready=20.0, stop=0.3),
    workloads.HANDLER: Pace(pull=5.5, ready=20.0, stop=2.6),
}


def create(world: World, component: str, release: Release, *, node: str, owner: JSON) -> ControlPod:
    """Create a pod; its life begins by itself."""
    prefix = component if component == workloads.HANDLER else f"{component}-{release.template_hash(component)}"
    name = f"{prefix}-{world.cluster.suffix()}"
    body = workloads.pod(component, release, name=name, owner=owner, node=node)
    world.cluster.create("pods", body)
    pod = ControlPod(name=name, component=component, release=release, node=node)
    world.pods[name] = pod
    pod.task = world.spawn(_live(world, pod), f"pod {name}")
    return pod


def settled(world: World, component: str, release: Release, *, node: str, owner: JSON, at: float) -> ControlPod:
    """A pod that has been running since `at`, for the beginning of a world."""
    prefix = component if component == workloads.HANDLER else f"{component}-{release.template_hash(component)}"
    name = f"{prefix}-{world.cluster.suffix()}"
    body = workloads.pod(component, release, name=name, owner=owner, node=node)
    body["metadata"]["uid"] = world.cluster.new_uid()
    body["spec"]["nodeName"] = node
    _wait_for_containers(world, body, at)
    _start(body, at)
    _become_ready(body, at + 20)
    world.cluster.create("pods", body, stamp=times.seconds(at))
    pod = ControlPod(name=name, component=component, release=release, node=node, started=True, ready=True)
    world.pods[name] = pod
    return pod


def stop(world: World, pod: ControlPod) -> None:
    """Begin to end a pod."""
    if pod.terminating:
        return
    pod.terminating = True
    if pod.task is not None:
        world.engine.cancel(pod.task)
    pod.task = world.spawn(_stop(world, pod), f"stop {pod.name}")


def set_ready(world: World, pod: ControlPod, *, ready: bool, crashed: bool = False) -> None:
    """The kubelet's probe of a running pod changed its mind; `crashed`: because the container started anew."""
    with world.cluster.edit("pods", pod.name, NAMESPACE) as body:
        if ready:
            _become_ready(body, world.now)
        else:
            _become_unready(body, world.now, reason="ContainersNotReady")
        for status in body["status"]["containerStatuses"]:
            if crashed:
                status["restartCount"] += 1
                status["lastState"] = {"terminated": {"exitCode": 1, "reason": "Error", "finishedAt": world.stamp}}
                status["state"] = {"running": {"startedAt": world.stamp}}
    if crashed:
        restarts = world.truth.restarts
        restarts[pod.component] = restarts.get(pod.component, 0) + 1
    pod.ready = ready
    world.fire(world.changed[pod.component])


def remove(world: World, pod: ControlPod) -> None:
    """A pod is gone at once, without a kubelet: its node was lost."""
    if pod.task is not None:
        world.engine.cancel(pod.task)
    del world.pods[pod.name]
    world.cluster.delete("pods", pod.name, NAMESPACE)
    world.fire(world.changed[pod.component])


def _live(world: World, pod: ControlPod) -> Process:
    pace = _PACES[pod.component]
    yield world.about(0.05)
    with world.cluster.edit("pods", pod.name, NAMESPACE) as body:
        body["spec"]["nodeName"] = pod.node
        body["status"]["conditions"] = [_condition("PodScheduled", "True", world.now)]
    yield world.about(0.02)
    with world.cluster.edit("pods", pod.name, NAMESPACE) as body:
        _wait_for_containers(world, body, world.now)
    yield world.about(0.9)
    stuck = world.stuck.get(pod.node) if pod.component == workloads.HANDLER else None
    if stuck is not None and stuck.release == pod.release.id and stuck.reason == "image-pull":
        yield from _fail_to_pull(world, pod)
    if pod.component == workloads.HANDLER:
        yield from _initialize(world, pod)
    image = pod.release.image(pod.component)
    yield world.about(0.05 if world.available(image, pod.node) else pace.pull)
    with world.cluster.edit("pods", pod.name, NAMESPACE) as body:
        _start(body, world.now)
    pod.started = True
    world.fire(world.changed[pod.component])
    if pod.component == workloads.HANDLER:
        world.spawn(nodes.handler_started(world, pod.node), f"handler on {pod.node}")
    yield world.about(pace.ready, 0.03)
    while _never_ready(world, pod):
        yield 10.0
    with world.cluster.edit("pods", pod.name, NAMESPACE) as body:
        _become_ready(body, world.now)
    pod.ready = True
    world.fire(world.changed[pod.component])


def _never_ready(world: World, pod: ControlPod) -> bool:
    stuck = world.stuck.get(pod.node) if pod.component == workloads.HANDLER else None
    return stuck is not None and stuck.release == pod.release.id


def _initialize(world: World, pod: ControlPod) -> Process:
    """The node labeller, an init container with the launcher's image."""
    yield world.about(0.3 if world.available(pod.release.image("virt-launcher"), pod.node) else 5.6)
    with world.cluster.edit("pods", pod.name, NAMESPACE) as body:
        status = body["status"]["initContainerStatuses"][0]
        status |= {"state": {"running": {"startedAt": world.stamp}}, "started": True,
                   "imageID": workloads.image_id(status["image"])}  # fmt: skip
    yield world.about(1.3)
    with world.cluster.edit("pods", pod.name, NAMESPACE) as body:
        status = body["status"]["initContainerStatuses"][0]
        done = {"exitCode": 0, "reason": "Completed", "startedAt": world.stamp, "finishedAt": world.stamp}
        status |= {"state": {"terminated": done}, "ready": True, "started": False}
        _set_condition(body, "Initialized", "True", world.now)


def _fail_to_pull(world: World, pod: ControlPod) -> Process:
    """The image cannot be pulled: two waiting reasons take turns until somebody repairs it."""
    reasons = ("ErrImagePull", "ImagePullBackOff")
    turn = 0
    while _never_ready(world, pod):
        with world.cluster.edit("pods", pod.name, NAMESPACE) as body:
            status = body["status"]["initContainerStatuses"][0]
            message = f'Back-off pulling image "{status["image"]}"'
            status["state"] = {"waiting": {"reason": reasons[turn % 2], "message": message}}
        turn += 1
        yield 15.0 if turn % 2 else min(300.0, 10.0 * 2 ** (turn // 2))


def _stop(world: World, pod: ControlPod) -> Process:
    grace = 330 if pod.component == workloads.HANDLER else 30
    with world.cluster.edit("pods", pod.name, NAMESPACE) as body:
        body["metadata"]["deletionTimestamp"] = times.seconds(world.now + grace)
        body["metadata"]["deletionGracePeriodSeconds"] = grace
    world.fire(world.changed[pod.component])
    if pod.component == workloads.HANDLER:
        yield 0.2
        nodes.handler_stops(world, pod.node)
    yield world.about(_PACES[pod.component].stop if pod.started else 0.3)
    pod.ready = pod.started = False
    with world.cluster.edit("pods", pod.name, NAMESPACE) as body:
        _finish(body, world.now)
    del world.pods[pod.name]
    world.fire(world.changed[pod.component])
    yield world.about(0.3)
    with world.cluster.edit("pods", pod.name, NAMESPACE) as body:
        body["metadata"]["deletionTimestamp"] = world.stamp
        body["metadata"]["deletionGracePeriodSeconds"] = 0
    world.cluster.delete("pods", pod.name, NAMESPACE)


# -- the status of a pod, step by step -------------------------------------------------------------------------------


def _wait_for_containers(world: World, body: JSON, at: float) -> None:
    spec, status = body["spec"], body["status"]
    first = "PodInitializing" if spec.get("initContainers") else "ContainerCreating"
    waiting = {"waiting": {"reason": first}}
    status["containerStatuses"] = [
        launcher_pods.container_status(one["name"], one["image"], waiting, ready=False, started=False)
        for one in spec["containers"]
    ]
    if spec.get("initContainers"):
        status["initContainerStatuses"] = [
            launcher_pods.container_status(one["name"], one["image"], waiting, ready=False, started=False)
            for one in spec["initContainers"]
        ]
    number = world.random.randrange(60_000)
    status |= {"startTime": times.seconds(at), "hostIP": "192.168.66.50", "podIP": guests.pod_address(number)}
    names = ", ".join(one["name"] for one in spec["containers"])
    unready = {"reason": "ContainersNotReady", "message": f"containers with unready status: [{names}]"}
    status["conditions"] = [
        _condition("PodReadyToStartContainers", "True", at),
        _condition("Initialized", "False" if spec.get("initContainers") else "True", at),
        _condition("PodScheduled", "True", at),
        {**_condition("ContainersReady", "False", at), **unready},
        {**_condition("Ready", "False", at), **unready},
    ]


def _start(body: JSON, at: float) -> None:
    status = body["status"]
    status["phase"] = "Running"
    for one in status["containerStatuses"]:
        one |= {"state": {"running": {"startedAt": times.seconds(at)}}, "started": True,
                "imageID": workloads.image_id(one["image"]),
                "containerID": workloads.container_id(body, one["name"])}  # fmt: skip
    for one in status.get("initContainerStatuses", ()):
        if "waiting" in one["state"]:
            done = {
                "exitCode": 0,
                "reason": "Completed",
                "startedAt": times.seconds(at),
                "finishedAt": times.seconds(at),
            }
            one |= {"state": {"terminated": done}, "ready": True, "imageID": workloads.image_id(one["image"])}
    _set_condition(body, "Initialized", "True", at)


def _become_ready(body: JSON, at: float) -> None:
    for one in body["status"]["containerStatuses"]:
        one["ready"] = True
    _set_condition(body, "ContainersReady", "True", at)
    _set_condition(body, "Ready", "True", at)


def _become_unready(body: JSON, at: float, *, reason: str) -> None:
    for one in body["status"]["containerStatuses"]:
        one["ready"] = False
    _set_condition(body, "ContainersReady", "False", at, reason=reason)
    _set_condition(body, "Ready", "False", at, reason=reason)


def _finish(body: JSON, at: float) -> None:
    status = body["status"]
    if "containerStatuses" not in status:
        return
    for one in status["containerStatuses"]:
        running = one["state"].get("running", {})
        ended = {"exitCode": 0, "reason": "Completed", "startedAt": running.get("startedAt"),
                 "finishedAt": times.seconds(at)}  # fmt: skip
        one |= {"state": {"terminated": ended}, "ready": False, "started": False}
    status["phase"] = "Succeeded"
    _become_unready(body, at, reason="PodCompleted")


def _condition(kind: str, status: str, at: float) -> JSON:
    return {"type": kind, "status": status, "lastProbeTime": None, "lastTransitionTime": times.seconds(at)}


def _set_condition(body: JSON, kind: str, status: str, at: float, *, reason: str = "") -> None:
    for condition in body["status"]["conditions"]:
        if condition["type"] == kind:
            if condition["status"] != status:
                condition["lastTransitionTime"] = times.seconds(at)
            condition["status"] = status
            condition.pop("message", None)
            condition.pop("reason", None)
            if reason:
                condition["reason"] = reason
