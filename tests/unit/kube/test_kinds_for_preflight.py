"""What preflight reads of objects beyond what an upgrade is watched by: requests, room, budgets, old API versions."""

import json
from typing import Any

import pytest

from exporter.kube.decode import DECODERS, Malformed
from exporter.kube.kinds import quantity

META = {"name": "it", "namespace": "ns", "uid": "u-1"}


def decode(kind: str, value: Any) -> Any:  # noqa: ANN401 - each kind has a type of its own
    result = DECODERS[kind].item(json.dumps(value).encode())
    assert not isinstance(result, Malformed), result
    return result


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("200m", 0.2),
        ("64", 64.0),
        ("1276Mi", 1276 * 2.0**20),
        ("40M", 40e6),
        ("1.5Gi", 1.5 * 2**30),
        ("1e3", 1000.0),
        ("1E3", 1000.0),
        ("2E", 2e18),
        (".5", 0.5),
        ("", None),
        ("much", None),
        ("1 Gi", None),
        ("1Gb", None),
    ],
)
def test_quantities(text: str, number: float | None) -> None:
    assert quantity.read(text) == (pytest.approx(number) if number is not None else None)


def container(cpu: str = "", memory: str = "") -> dict[str, Any]:
    return {"name": "c", "resources": {"requests": {"cpu": cpu or None, "memory": memory or None}}}


def test_a_pod_requests_what_its_containers_need_together_and_its_init_containers_one_by_one() -> None:
    spec = {
        "initContainers": [container("2", "10M"), container("1", "30M")],
        "containers": [container("500m", "15M"), container("500m", "5M"), {"name": "greedy", "resources": None}],
        "overhead": {"cpu": "100m", "memory": "1M"},
    }
    pod = decode("pod", {"metadata": META, "spec": spec})
    assert (pod.cpu, pod.memory) == (pytest.approx(2.1), pytest.approx(31e6))


def test_a_node_without_numbers_has_no_known_room() -> None:
    node = decode("node", {"metadata": META, "status": {"allocatable": {"cpu": "8", "memory": "32877156Ki"}}})
    assert (node.cpu, node.memory) == (8.0, 32877156 * 1024.0)
    node = decode("node", {"metadata": META, "status": {"allocatable": {"cpu": "eight"}}})
    assert (node.cpu, node.memory) == (None, None)


def test_a_budget_that_nobody_has_counted_says_nothing() -> None:
    status = {"disruptionsAllowed": 0, "currentHealthy": 1, "desiredHealthy": 1, "expectedPods": 2}
    budget = decode("budget", {"metadata": META, "status": status})
    assert (budget.allowed, budget.healthy, budget.desired, budget.expected) == (0, 1, 1, 2)
    assert decode("budget", {"metadata": META}).allowed is None


@pytest.mark.parametrize("kind", ["vm", "metadata"])
def test_the_versions_in_which_an_object_was_written(kind: str) -> None:
    fields = [{"manager": "a", "apiVersion": "kubevirt.io/v1"}, {"manager": "b", "apiVersion": "kubevirt.io/v1alpha3"}]
    both = decode(kind, {"metadata": META | {"managedFields": [*fields, fields[0], {"manager": "c"}]}})
    assert both.written_as == ("kubevirt.io/v1", "kubevirt.io/v1alpha3")
    assert decode(kind, {"metadata": META}).written_as == ()


def test_what_the_kubevirt_resource_says_of_places_migrations_and_gates() -> None:
    spec = {
        "infra": {"nodePlacement": {"nodeSelector": {"a": "b"}}},
        "configuration": {
            "vmRolloutStrategy": "Stage",
            "migrations": {"parallelMigrationsPerCluster": 20},
            "developerConfiguration": {"featureGates": ["Snapshot", "Sidecar"]},
        },
    }
    cr = decode("kubevirt", {"metadata": META, "spec": spec})
    assert (cr.infra_placed, cr.rollout_strategy, cr.parallel_migrations) == (True, "Stage", 20)
    assert cr.feature_gates == ("Snapshot", "Sidecar")


@pytest.mark.parametrize("infra", [None, {}, {"nodePlacement": None}, {"nodePlacement": {}}, {"replicas": 2}])
def test_an_empty_placement_places_nothing(infra: object) -> None:
    assert not decode("kubevirt", {"metadata": META, "spec": {"infra": infra, "configuration": None}}).infra_placed
