"""Launcher pods, step by step, and what instance and machine say about them."""

from __future__ import annotations

from exporter.sim import times
from exporter.sim.refusals import JSON
from exporter.sim.world.engine import Process
from exporter.sim.world.objects import guests, launcher_pods, workloads
from exporter.sim.world.objects.guests import Guest
from exporter.sim.world.objects.launcher_pods import GATE_MISSING, PAUSE_GATE
from exporter.sim.world.world import VM, VMI, World


def schedule(world: World, guest: Guest, node: str) -> None:
    """The pod `guest.pod` gets its node and its waiting containers."""
    with world.cluster.edit("pods", guest.pod, guest.namespace) as body:
        spec, status = body["spec"], body["status"]
        spec["nodeName"] = node
        waiting = {"waiting": {"reason": "PodInitializing"}}
        for kind, key in (("initContainerStatuses", "initContainers"), ("containerStatuses", "containers")):
            status[kind] = [
                launcher_pods.container_status(one["name"], one["image"], waiting, ready=False, started=False)
                for one in spec[key]
            ]
        unready = {"reason": "ContainersNotReady", "message": "containers with unready status: [compute]"}
        status["conditions"] = [
            _condition("PodScheduled", "True", world),
            {**_condition("Initialized", "False", world), "reason": "ContainersNotInitialized"},
            {**_condition("ContainersReady", "False", world), **unready},
            {**_condition("Ready", "False", world), **unready},
        ]
        status |= {"hostIP": "192.168.66.50", "startTime": world.stamp}


def start(world: World, guest: Guest) -> Process:
    """From scheduled to running: address, init containers, containers; ready only once the guest is known to run."""
    edit = world.cluster.edit
    yield world.about(0.9)
    with edit("pods", guest.pod, guest.namespace) as body:
        body["status"]["podIP"] = guests.pod_address(world.random.randrange(60_000))
    for position in (0, 1):
        yield world.about(0.6)
        with edit("pods", guest.pod, guest.namespace) as body:
            status = body["status"]["initContainerStatuses"][position]
            done = {"exitCode": 0, "reason": "Completed", "startedAt": world.stamp, "finishedAt": world.stamp}
            status |= {"state": {"terminated": done}, "ready": True, "imageID": workloads.image_id(status["image"])}
    yield world.about(0.5)
    with edit("pods", guest.pod, guest.namespace) as body:
        for one in body["status"]["containerStatuses"]:
            one |= {"state": {"running": {"startedAt": world.stamp}}, "ready": True, "started": True,
                    "imageID": workloads.image_id(one["image"]),
                    "containerID": workloads.container_id(body, one["name"])}  # fmt: skip
        body["status"]["phase"] = "Running"
        for condition in body["status"]["conditions"]:
            if condition["type"] in {"Initialized", "ContainersReady"}:
                condition |= {"status": "True", "lastTransitionTime": world.stamp}
                condition.pop("reason", None)
                condition.pop("message", None)
            if condition["type"] == "Ready":
                condition |= {"reason": "ReadinessGatesNotReady", "message": GATE_MISSING}


def unpause(world: World, guest: Guest) -> None:
    """virt-controller sets the readiness gate, and the pod is ready."""
    with world.cluster.edit("pods", guest.pod, guest.namespace) as body:
        conditions = body["status"]["conditions"]
        if not any(condition["type"] == PAUSE_GATE for condition in conditions):
            conditions.append(launcher_pods.unpaused(world.now))
    with world.cluster.edit("pods", guest.pod, guest.namespace) as body:
        for condition in body["status"]["conditions"]:
            if condition["type"] == "Ready":
                condition |= {"status": "True", "lastTransitionTime": world.stamp}
                condition.pop("reason", None)
                condition.pop("message", None)


def finish(
    world: World, pod: str, namespace: str, *, phase: str, code: int = 0, reason: str = "", message: str = ""
) -> None:
    """All containers of a launcher end: with code 0, or otherwise, such as 137 and OOMKilled."""
    with world.cluster.edit("pods", pod, namespace) as body:
        status = body["status"]
        for one in status.get("containerStatuses", ()):
            running = one["state"].get("running", {})
            ended = {
                "exitCode": code if one["name"] == "compute" else 0,
                "reason": (reason or "Error") if code and one["name"] == "compute" else "Completed",
                "startedAt": running.get("startedAt"), "finishedAt": world.stamp,
            }  # fmt: skip
            one |= {"state": {"terminated": ended}, "ready": False, "started": False}
        for condition in status["conditions"]:
            if condition["type"] in {"Ready", "ContainersReady"}:
                condition |= {"status": "False", "lastTransitionTime": world.stamp,
                              "reason": "PodCompleted" if phase == "Succeeded" else "PodFailed"}  # fmt: skip
                condition.pop("message", None)
        status["phase"] = phase
        if message:
            status |= {"reason": reason, "message": message}


def set_ready(world: World, guest: Guest, state: JSON, *, image: str = "") -> None:
    """The Ready condition of instance and machine; `image` fills in the launcher image of the instance."""
    with world.cluster.edit(VMI, guest.name, guest.namespace) as body:
        _replace_ready(body, state)
        if image:
            body["status"]["launcherContainerImageVersion"] = image
    with world.cluster.edit(VM, guest.name, guest.namespace) as body:
        _replace_ready(body, state)
        if state["status"] == "True":
            body["status"]["ready"] = True
        else:
            body["status"].pop("ready", None)


def _replace_ready(body: JSON, state: JSON) -> None:
    conditions = body["status"].setdefault("conditions", [])
    body["status"]["conditions"] = [
        {"lastProbeTime": None, "type": "Ready", **state},
        *(condition for condition in conditions if condition["type"] != "Ready"),
    ]


def _condition(kind: str, status: str, world: World) -> JSON:
    return {"type": kind, "status": status, "lastProbeTime": None, "lastTransitionTime": times.seconds(world.now)}
