"""Get, list and discovery of the simulated API server, over HTTP."""

import json
import pathlib

from exporter.sim.access import Access, Grant
from exporter.sim.scenario import Step, StopApi, Upgrade, When
from tests.sim.client import METADATA, METADATA_LIST, VMIS, VMS, serving


async def test_a_list_is_complete_sorted_and_has_a_version() -> None:
    async with serving() as (simulation, client):
        body = await client.get(VMS)
        assert body["kind"] == "VirtualMachineList"
        assert body["metadata"]["resourceVersion"] == str(simulation.cluster.store.version)
        names = [(item["metadata"]["namespace"], item["metadata"]["name"]) for item in body["items"]]
        assert names == sorted(names)
        assert len(names) == 5


async def test_items_of_builtin_lists_have_no_type_those_of_custom_lists_do() -> None:
    async with serving() as (_, client):
        pods, machines = await client.get("/api/v1/pods"), await client.get(VMS)
        assert "kind" not in pods["items"][0]
        assert machines["items"][0]["kind"] == "VirtualMachine"


async def test_namespaced_and_cluster_wide_paths_select() -> None:
    async with serving() as (_, client):
        body = await client.get("/apis/kubevirt.io/v1/namespaces/team-a/virtualmachines")
        assert {item["metadata"]["namespace"] for item in body["items"]} == {"team-a"}


async def test_objects_come_in_the_version_that_is_asked_for() -> None:
    async with serving() as (_, client):
        body = await client.get(VMS.replace("/v1/", "/v1alpha3/"))
        assert {item["apiVersion"] for item in body["items"]} == {"kubevirt.io/v1alpha3"}


async def test_pages_show_one_moment_and_count_what_is_left() -> None:
    async with serving() as (simulation, client):
        first = await client.get(f"{VMS}?limit=2")
        assert first["metadata"]["remainingItemCount"] == 3
        simulation.cluster.delete("virtualmachineinstances.kubevirt.io", "vm-a0", "team-a")
        with simulation.cluster.edit("virtualmachines.kubevirt.io", "vm-c0", "team-c") as machine:
            machine["metadata"]["labels"]["new"] = "yes"
        names, body = [], first
        while True:
            names += [item["metadata"]["name"] for item in body["items"]]
            assert body["metadata"]["resourceVersion"] == first["metadata"]["resourceVersion"]
            assert not any("new" in item["metadata"]["labels"] for item in body["items"])
            if not body["metadata"]["continue"]:
                break
            body = await client.get(f"{VMS}?limit=2&continue={body['metadata']['continue']}")
        assert len(names) == len(set(names)) == 5


async def test_an_expired_page_is_410_with_a_token_that_goes_on_inconsistently() -> None:
    async with serving() as (simulation, client):
        first = await client.get(f"{VMS}?limit=2")
        simulation.server.reader.expire_tokens()
        error = await client.error(f"{VMS}?limit=2&continue={first['metadata']['continue']}")
        assert (error["code"], error["reason"]) == (410, "Expired")
        rest = await client.get(f"{VMS}?limit=9&continue={error['metadata']['continue']}")
        assert len(rest["items"]) == 3


async def test_with_version_zero_there_are_no_pages() -> None:
    async with serving() as (_, client):
        body = await client.get(f"{VMS}?limit=2&resourceVersion=0")
        assert len(body["items"]) == 5


async def test_a_version_from_the_future_times_out() -> None:
    async with serving() as (_, client):
        error = await client.error(f"{VMS}?resourceVersion=99999999")
        assert (error["code"], error["reason"]) == (504, "Timeout")


async def test_label_and_field_selectors_select() -> None:
    async with serving() as (_, client):
        launchers = await client.get("/api/v1/pods?labelSelector=kubevirt.io%3Dvirt-launcher")
        assert len(launchers["items"]) == 5
        others = await client.get("/api/v1/pods?labelSelector=kubevirt.io+notin+(virt-launcher)")
        assert len(others["items"]) == 10
        one = await client.get(f"{VMS}?fieldSelector=metadata.name%3Dvm-a1,metadata.namespace%3Dteam-a")
        assert len(one["items"]) == 1
        node = await client.get("/api/v1/pods?fieldSelector=spec.nodeName%3Dcp-0,status.phase%3DRunning")
        assert len(node["items"]) == 4
        error = await client.error(f"{VMS}?fieldSelector=spec.running%3Dtrue")
        assert error["code"] == 400


async def test_metadata_only_is_smaller_and_says_so() -> None:
    async with serving() as (_, client):
        body = await client.get(VMIS, Accept=METADATA_LIST)
        assert body["kind"] == "PartialObjectMetadataList"
        assert set(body["items"][0]) == {"kind", "apiVersion", "metadata"}
        one = await client.get("/apis/kubevirt.io/v1/namespaces/team-a/virtualmachines/vm-a0", Accept=METADATA)
        assert one["kind"] == "PartialObjectMetadata"
        assert one["metadata"]["name"] == "vm-a0"


async def test_not_found_differs_for_objects_resources_and_groups() -> None:
    async with serving() as (_, client):
        missing = await client.error("/apis/kubevirt.io/v1/namespaces/team-a/virtualmachines/nobody")
        assert missing["message"] == 'virtualmachines.kubevirt.io "nobody" not found'
        unknown = await client.error("/apis/apps/v1/namespaces/kubevirt/gadgets")
        assert unknown["message"] == "the server could not find the requested resource"
        for path in ("/apis/nothing.io/v1/things", "/apis/kubevirt.io/v7/virtualmachines"):
            status, text, headers = await client.ask(path)
            assert (status, text) == (404, "404 page not found\n")
            assert headers["Content-Type"].startswith("text/plain")


async def test_discovery_lists_what_is_served_at_the_moment() -> None:
    async with serving() as (simulation, client):
        groups = {group["name"]: group for group in (await client.get("/apis"))["groups"]}
        assert groups["kubevirt.io"]["preferredVersion"]["version"] == "v1"
        assert "subresources.kubevirt.io" in groups
        found = await client.get("/apis/snapshot.kubevirt.io/v1beta1")
        assert "virtualmachinesnapshots/status" in {one["name"] for one in found["resources"]}
        simulation.cluster.delete(
            "customresourcedefinitions.apiextensions.k8s.io", "migrationpolicies.migrations.kubevirt.io"
        )
        assert "migrations.kubevirt.io" not in {group["name"] for group in (await client.get("/apis"))["groups"]}
        status, _, _ = await client.ask("/apis/migrations.kubevirt.io/v1alpha1/migrationpolicies")
        assert status == 404


async def test_health_and_version_answer() -> None:
    async with serving() as (_, client):
        assert (await client.ask("/readyz"))[:2] == (200, "ok")
        assert (await client.get("/version"))["gitVersion"] == "v1.30.4"


async def test_what_is_forbidden_is_refused_in_words_of_rbac() -> None:
    access = Access()
    access.forbid("virtualmachines", group="kubevirt.io", verb="list")
    async with serving(access=access) as (_, client):
        error = await client.error(VMS)
        assert (error["code"], error["reason"]) == (403, "Forbidden")
        assert (
            'cannot list resource "virtualmachines" in API group "kubevirt.io" at the cluster scope' in error["message"]
        )
        await client.get("/apis/kubevirt.io/v1/namespaces/team-a/virtualmachines/vm-a0")
        access.allow_everything()
        await client.get(VMS)


async def test_only_what_policy_rules_grant_is_allowed() -> None:
    access = Access()
    rule = {"apiGroups": ["kubevirt.io"], "resources": ["virtualmachines"], "verbs": ["list"]}
    lease = {
        "apiGroups": ["coordination.k8s.io"],
        "resources": ["leases"],
        "verbs": ["get"],
        "resourceNames": ["virt-operator"],
    }
    access.only(Grant(rules=(rule,)), Grant(rules=(lease,), namespace="kubevirt"))
    async with serving(access=access) as (_, client):
        await client.get(VMS)
        await client.get("/apis/coordination.k8s.io/v1/namespaces/kubevirt/leases/virt-operator")
        for path in (VMIS, "/apis/coordination.k8s.io/v1/namespaces/kubevirt/leases/virt-controller",
                     "/apis/subresources.kubevirt.io/v1/version"):  # fmt: skip
            assert (await client.error(path))["code"] == 403


async def test_the_subresource_api_shows_mixed_versions_while_virt_api_rolls_over() -> None:
    async with serving(Step(when=When(at=1), action=Upgrade(to="v1.4.0"))) as (simulation, client):

        async def seen() -> set[str]:
            path = "/apis/subresources.kubevirt.io/v1/version"
            return {(await client.get(path))["gitVersion"] for _ in range(4)}

        assert await seen() == {"v1.3.0"}
        while "api-started v1.4.0" not in simulation.truth.milestones:
            simulation.advance(1)
        simulation.advance(30)
        assert await seen() == {"v1.3.0", "v1.4.0"}
        simulation.advance(60)
        assert await seen() == {"v1.4.0"}
        assert (await client.get("/apis/subresources.kubevirt.io/v1alpha3/healthz"))["apiserver"][
            "connectivity"
        ] == "ok"
        assert (await client.get("/apis/subresources.kubevirt.io/v1/guestfs"))["tag"] == "v1.4.0"


async def test_without_virt_api_subresources_are_503_and_webhooks_fail() -> None:
    stop = Step(when=When(at=5), action=StopApi(what="kubevirt-api", seconds=30))
    async with serving(stop) as (simulation, client):
        simulation.advance(5)
        assert (await client.ask("/apis/subresources.kubevirt.io/v1/version"))[0] == 503
        machine = {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "metadata": {"name": "new"}, "spec": {}}
        path = "/apis/kubevirt.io/v1/namespaces/team-a/virtualmachines?dryRun=All"
        error = await client.error(path, method="POST", body=machine)
        assert error["code"] == 500
        assert "failed calling webhook" in error["message"]
        simulation.advance(31)
        assert (await client.ask(path, method="POST", body=machine))[0] == 201
        assert (await client.ask("/apis/subresources.kubevirt.io/v1/version"))[0] == 200


async def test_https_serves_the_same(tmp_path: pathlib.Path) -> None:
    async with serving(tls_folder=tmp_path) as (simulation, client):
        assert client.url.startswith("https://127.0.0.1:")
        assert len((await client.get(VMS))["items"]) == 5
        written = simulation.kubeconfig(tmp_path / "kubeconfig")
        assert client.url in written.read_text()


async def test_numbers_of_every_answer_are_json() -> None:
    async with serving() as (_, client):
        for path in ("/api", "/api/v1", "/apis/apps", "/apis/apps/v1"):
            _, text, headers = await client.ask(path)
            assert headers["Content-Type"].startswith("application/json")
            assert json.loads(text)["kind"].startswith("API")


async def test_reviews_say_whose_a_token_is_and_what_rules_allow() -> None:
    access = Access(tokens={"secret": "prometheus"})
    access.only(Grant(rules=({"nonResourceURLs": ["/metrics"], "verbs": ["get"]},)))

    async with serving(access=access) as (_, client):

        async def review(kind: str, **spec: object) -> dict[str, object]:
            group = "authentication" if kind == "TokenReview" else "authorization"
            body = {"apiVersion": f"{group}.k8s.io/v1", "kind": kind, "spec": spec}
            path = f"/apis/{group}.k8s.io/v1/{kind.lower()}s"
            status, text, _ = await client.ask(path, method="POST", body=body)
            assert status == 201
            found: dict[str, object] = json.loads(text)["status"]
            return found

        known = await review("TokenReview", token="secret")
        assert known["authenticated"]
        assert "authenticated" not in await review("TokenReview", token="guessed")
        allowed = {"path": "/metrics", "verb": "get"}
        assert (await review("SubjectAccessReview", user="x", nonResourceAttributes=allowed))["allowed"]
        refused = {"path": "/debug", "verb": "get"}
        assert not (await review("SubjectAccessReview", user="x", nonResourceAttributes=refused))["allowed"]
        listing = {"group": "kubevirt.io", "resource": "virtualmachines", "verb": "list"}
        assert not (await review("SelfSubjectAccessReview", resourceAttributes=listing))["allowed"]
