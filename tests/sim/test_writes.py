"""Create, update, patch and delete through the simulated API server."""

import json

from tests.sim.client import LEASES, VMS, Client, serving

POLICIES = "/apis/migrations.kubevirt.io/v1alpha1/migrationpolicies"
REPORTS = "/apis/example.com/v1/namespaces/team-a/reports"
MERGE = "application/merge-patch+json"
DEFINITION = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "reports.example.com"},
    "spec": {
        "group": "example.com",
        "names": {"plural": "reports", "kind": "Report"},
        "scope": "Namespaced",
        "versions": [{"name": "v1", "served": True, "storage": True, "subresources": {"status": {}}}],
    },
}
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"


async def with_reports(client: Client) -> None:
    status, text, _ = await client.ask(DEFINITIONS, method="POST", body=DEFINITION)
    assert status == 201, text


def report(**spec: object) -> dict[str, object]:
    return {"apiVersion": "example.com/v1", "kind": "Report", "metadata": {"name": "one"}, "spec": spec}


async def test_a_new_definition_is_served_at_once() -> None:
    async with serving() as (_, client):
        assert (await client.ask(REPORTS))[0] == 404
        await with_reports(client)
        definition = await client.get(f"{DEFINITIONS}/reports.example.com")
        assert definition["status"]["storedVersions"] == ["v1"]
        assert definition["status"]["acceptedNames"]["listKind"] == "ReportList"
        assert (await client.get(REPORTS))["items"] == []


async def test_create_gives_identity_and_refuses_a_second_one() -> None:
    async with serving() as (_, client):
        await with_reports(client)
        status, text, _ = await client.ask(REPORTS, method="POST", body={**report(), "status": {"phase": "x"}})
        assert status == 201
        body = json.loads(text)
        assert body["metadata"]["generation"] == 1
        assert body["metadata"]["uid"]
        assert "status" not in body, "status is written through its subresource"
        error = await client.error(REPORTS, method="POST", body=report())
        assert (error["code"], error["reason"]) == (409, "AlreadyExists")


async def test_generated_names_differ() -> None:
    async with serving() as (_, client):
        await with_reports(client)
        body = {"apiVersion": "example.com/v1", "kind": "Report", "metadata": {"generateName": "r-"}}
        names = {
            json.loads((await client.ask(REPORTS, method="POST", body=body))[1])["metadata"]["name"] for _ in range(5)
        }
        assert len(names) == 5


async def test_dry_run_leaves_nothing() -> None:
    async with serving() as (simulation, client):
        before = simulation.cluster.store.version
        body = {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": {"name": "probe"}, "spec": {}}
        path = "/apis/kubevirt.io/v1/namespaces/team-a/virtualmachines"
        assert (await client.ask(f"{path}?dryRun=All", method="POST", body=body))[0] == 201
        assert simulation.cluster.store.version == before
        assert (await client.ask(f"{path}/probe"))[0] == 404


async def test_an_update_from_an_old_version_conflicts() -> None:
    async with serving() as (simulation, client):
        lease = await client.get(f"{LEASES}/virt-operator")
        simulation.advance(5)
        error = await client.error(f"{LEASES}/virt-operator", method="PUT", body=lease)
        assert (error["code"], error["reason"]) == (409, "Conflict")
        fresh = await client.get(f"{LEASES}/virt-operator")
        fresh["spec"]["holderIdentity"] = "me"
        assert (await client.ask(f"{LEASES}/virt-operator", method="PUT", body=fresh))[0] == 200
        del fresh["metadata"]["resourceVersion"]
        assert (await client.error(f"{LEASES}/virt-operator", method="PUT", body=fresh))["code"] == 422


async def test_spec_and_status_are_written_apart() -> None:
    async with serving() as (_, client):
        await with_reports(client)
        await client.ask(REPORTS, method="POST", body=report(a=1))
        patch = {"spec": {"a": 2}, "status": {"phase": "done"}}
        await client.ask(f"{REPORTS}/one", method="PATCH", body=patch, Content_Type=MERGE)
        body = await client.get(f"{REPORTS}/one")
        assert (body["spec"], body.get("status"), body["metadata"]["generation"]) == ({"a": 2}, None, 2)
        patch = {"spec": {"a": 3}, "status": {"phase": "done"}}
        await client.ask(f"{REPORTS}/one/status", method="PATCH", body=patch, Content_Type=MERGE)
        body = await client.get(f"{REPORTS}/one/status")
        assert (body["spec"], body["status"], body["metadata"]["generation"]) == ({"a": 2}, {"phase": "done"}, 2)


async def test_apply_creates_then_merges() -> None:
    async with serving() as (_, client):
        await with_reports(client)
        kind = "application/apply-patch+yaml"
        path = f"{REPORTS}/one?fieldManager=test"
        assert (await client.ask(path, method="PATCH", body=report(a=1, b=1), Content_Type=kind))[0] == 201
        assert (await client.ask(path, method="PATCH", body=report(a=2), Content_Type=kind))[0] == 200
        assert (await client.get(f"{REPORTS}/one"))["spec"] == {"a": 2, "b": 1}


async def test_operations_are_all_done_or_none() -> None:
    async with serving() as (_, client):
        await with_reports(client)
        await client.ask(REPORTS, method="POST", body=report(a=1, b=[1, 2]))
        kind = "application/json-patch+json"
        good = [
            {"op": "test", "path": "/spec/a", "value": 1}, {"op": "replace", "path": "/spec/a", "value": 5},
            {"op": "add", "path": "/spec/b/-", "value": 3}, {"op": "remove", "path": "/spec/b/0"},
            {"op": "add", "path": "/metadata/labels", "value": {"example.com/x": "y"}},
            {"op": "replace", "path": "/metadata/labels/example.com~1x", "value": "z"},
        ]  # fmt: skip
        assert (await client.ask(f"{REPORTS}/one", method="PATCH", body=good, Content_Type=kind))[0] == 200
        body = await client.get(f"{REPORTS}/one")
        assert body["spec"] == {"a": 5, "b": [2, 3]}
        assert body["metadata"]["labels"] == {"example.com/x": "z"}
        bad = [{"op": "replace", "path": "/spec/a", "value": 9}, {"op": "test", "path": "/spec/a", "value": 1}]
        assert (await client.error(f"{REPORTS}/one", method="PATCH", body=bad, Content_Type=kind))["code"] == 422
        assert (await client.get(f"{REPORTS}/one"))["spec"]["a"] == 5


async def test_delete_needs_the_right_uid_and_waits_for_finalizers() -> None:
    async with serving() as (_, client):
        await with_reports(client)
        await client.ask(
            REPORTS, method="POST", body={**report(), "metadata": {"name": "one", "finalizers": ["example.com/x"]}}
        )
        options = {"kind": "DeleteOptions", "apiVersion": "v1", "preconditions": {"uid": "other"}}
        assert (await client.error(f"{REPORTS}/one", method="DELETE", body=options))["code"] == 409
        assert (await client.ask(f"{REPORTS}/one", method="DELETE"))[0] == 200
        assert (await client.get(f"{REPORTS}/one"))["metadata"]["deletionTimestamp"]
        free = {"metadata": {"finalizers": None}}
        assert (await client.ask(f"{REPORTS}/one", method="PATCH", body=free, Content_Type=MERGE))[0] == 200
        assert (await client.ask(f"{REPORTS}/one"))[0] == 404


async def test_a_deleted_definition_takes_its_objects_along() -> None:
    async with serving() as (simulation, client):
        async with client.watch(POLICIES) as stream:
            for _ in range(3):
                await stream.next()
            name = "migrationpolicies.migrations.kubevirt.io"
            assert (await client.ask(f"{DEFINITIONS}/{name}", method="DELETE"))[0] == 200
            events = await stream.rest()
        assert [event["type"] for event in events] == ["DELETED"] * 3
        assert (await client.ask(POLICIES))[0] == 404
        assert name not in simulation.cluster.resources


async def test_a_definition_cannot_drop_a_version_that_is_stored() -> None:
    async with serving() as (_, client):
        path = f"{DEFINITIONS}/virtualmachines.kubevirt.io"
        operations = [
            {"op": "remove", "path": "/spec/versions/0"},
            {"op": "replace", "path": "/spec/versions/0/storage", "value": True},
        ]
        error = await client.error(path, method="PATCH", body=operations, Content_Type="application/json-patch+json")
        assert error["code"] == 422
        assert "status.storedVersions[0]" in error["message"]
        assert len((await client.get(VMS))["items"]) == 5


async def test_what_does_not_fit_its_place_is_refused() -> None:
    async with serving() as (_, client):
        await with_reports(client)
        wrong = [
            (REPORTS, {**report(), "kind": "Lease"}, 400),
            (REPORTS, {**report(), "metadata": {"name": "one", "namespace": "team-b"}}, 400),
            (REPORTS, {**report(), "metadata": {}}, 422),
            (REPORTS, {**report(), "metadata": {"name": "one", "resourceVersion": "5"}}, 500),
            (REPORTS, b"{not json", 400),
            (REPORTS.replace("team-a", "nowhere"), report(), 404),
        ]
        for path, body, code in wrong:
            assert (await client.error(path, method="POST", body=body))["code"] == code, body
        assert (await client.ask(REPORTS.replace("/namespaces/team-a", ""), method="POST", body=report()))[0] == 404
