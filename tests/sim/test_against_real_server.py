"""What simulator and real kube-apiserver answer to the same requests is the same: each difference is a bug of ours.

Bodies are compared whole, identities and times apart; where the wording differs from release to release, code and
reason are compared.
"""

import asyncio
import json
import re
import ssl
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import yarl

from tests.real_apiserver import ADMIN, RealApiServer
from tests.sim.client import METADATA, METADATA_LIST, serving

JSON = dict[str, Any]

WIDGETS = "/apis/example.com/v1/namespaces/default/widgets"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
DEFINITIONS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
MERGE, OPERATIONS = "application/merge-patch+json", "application/json-patch+json"
SCHEMA = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
DEFINITION: JSON = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "widgets.example.com"},
    "spec": {
        "group": "example.com",
        "names": {"plural": "widgets", "kind": "Widget", "singular": "widget", "listKind": "WidgetList"},
        "scope": "Namespaced",
        "versions": [
            {"name": "v1", "served": True, "storage": True, "subresources": {"status": {}}, "schema": SCHEMA},
            {"name": "v1alpha1", "served": True, "storage": False, "schema": SCHEMA, "deprecated": True},
            {
                "name": "v2alpha1",
                "served": True,
                "storage": False,
                "schema": SCHEMA,
                "deprecated": True,
                "deprecationWarning": 'widgets are "old" now',
            },
        ],
    },
}
_CHANGING = {"uid", "resourceVersion", "creationTimestamp", "deletionTimestamp", "lastTransitionTime"}
_LEFT_OUT = {"managedFields", "selfLink", "storageVersionHash"}


@dataclass(frozen=True)
class Request:
    name: str
    method: str
    path: str
    body: object = None
    kind: str = "application/json"
    accept: str = "application/json"
    loosely: bool = False  # only code and reason
    headers: dict[str, str] = field(default_factory=dict)


def widget(name: str, labels: dict[str, str] | None = None, **spec: object) -> JSON:
    metadata = {"name": name, "labels": labels or {}}
    return {"apiVersion": "example.com/v1", "kind": "Widget", "metadata": metadata, "spec": spec}


def lease(name: str, **metadata: object) -> JSON:
    return {
        "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": name, **metadata},
        "spec": {"holderIdentity": "a"},
    }  # fmt: skip


def get(name: str, path: str, *, accept: str = "application/json", loosely: bool = False) -> Request:
    return Request(name, "GET", path, accept=accept, loosely=loosely)


def patch(name: str, body: object, kind: str = MERGE, path: str = f"{WIDGETS}/w1") -> Request:
    return Request(name, "PATCH", path, body, kind=kind)


def post(name: str, path: str, body: object, *, loosely: bool = False) -> Request:
    return Request(name, "POST", path, body, loosely=loosely)


REQUESTS = (
    get("no such group", "/apis/nope.io/v1/things"),
    get("no such resource of the server", "/apis/coordination.k8s.io/v1/things"),
    get("no such version of the server", "/apis/coordination.k8s.io/v7/leases"),
    get("no such version of a custom group", "/apis/example.com/v9/widgets"),
    get("no such object", f"{LEASES}/x"),
    get("no such custom object", f"{WIDGETS}/x"),
    post("create", LEASES, lease("a")),
    post("create again", LEASES, lease("a")),
    post("create without name", LEASES, {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {}}),
    post("create nowhere", LEASES.replace("default", "nowhere"), lease("a")),
    post("create elsewhere", LEASES, lease("z", namespace="kube-system")),
    post("create with version", LEASES, lease("z", resourceVersion="5")),
    post("create another kind", LEASES, {**lease("b"), "kind": "Widget"}, loosely=True),
    post("create nonsense", LEASES, b"{nonsense", loosely=True),
    post("create dry", f"{WIDGETS}?dryRun=All", widget("dry", x=1)),
    get("what was dry is not there", f"{WIDGETS}/dry"),
    post("create first widget", WIDGETS, widget("w1", {"a": "b"}, x=1)),
    post("create second widget", WIDGETS, widget("w2", {"a": "c"}, x=1)),
    post("create with status", WIDGETS, {**widget("w3"), "status": {"phase": "x"}}),
    post("create without namespace", WIDGETS.replace("/namespaces/default", ""), widget("w4")),
    get("in another version", WIDGETS.replace("/v1/", "/v1alpha1/") + "/w1"),
    get("in a version with its own warning", WIDGETS.replace("/v1/", "/v2alpha1/") + "/w1"),
    get("nobody in an old version", WIDGETS.replace("/v1/", "/v1alpha1/") + "/nobody"),
    get("list in an old version", WIDGETS.replace("/v1/", "/v1alpha1/")),
    get("metadata", f"{WIDGETS}/w1", accept=METADATA),
    get("first page", f"{WIDGETS}?limit=1"),
    get("list", WIDGETS),
    get("list of metadata", f"{WIDGETS}?limit=2", accept=METADATA_LIST),
    get("list of builtins", LEASES),
    get("page of labelled", f"{WIDGETS}?labelSelector=a%3Db&limit=1"),
    get("labelled in set", f"{WIDGETS}?labelSelector=a+in+(b,c)&limit=1"),
    get("labelled in set, without a space", f"{WIDGETS}?labelSelector=a+in(b)"),
    get("labelled in set, with more spaces", f"{WIDGETS}?labelSelector=a+notin+(+c+,+d+)"),
    get("labelled with a greater number", f"{WIDGETS}?labelSelector=a%3E1"),
    get("selector that goes on", f"{WIDGETS}?labelSelector=a,", loosely=True),
    get("not labelled", f"{WIDGETS}?labelSelector=!a"),
    get("bad label selector", f"{WIDGETS}?labelSelector=a%3D%3D%3D", loosely=True),
    get("by name", f"{WIDGETS}?fieldSelector=metadata.name%3Dw2"),
    get("bad field selector", f"{WIDGETS}?fieldSelector=spec.x%3D1"),
    get("bad continue", f"{WIDGETS}?limit=1&continue=abc", loosely=True),
    get("version of the future", f"{WIDGETS}?resourceVersion=99999999"),
    get("one of a version of the future", f"{WIDGETS}/w1?resourceVersion=99999999", loosely=True),
    get("match without a version", f"{WIDGETS}?resourceVersionMatch=NotOlderThan", loosely=True),
    get("match that is none", f"{WIDGETS}?resourceVersion=1&resourceVersionMatch=Nope", loosely=True),
    post("create partly dry", f"{WIDGETS}?dryRun=Some", widget("w9"), loosely=True),
    post("create with a bad name", WIDGETS, widget("Bad_Name"), loosely=True),
    post("create with a bad beginning of a name", WIDGETS,
         {**widget(""), "metadata": {"generateName": "Bad_"}}, loosely=True),
    post("create with a bad label", WIDGETS, widget("w9", {"a": "b c"}), loosely=True),
    post("create nothing known", WIDGETS, {"metadata": {"name": "w9"}}, loosely=True),
    post("create what can only be a lease", f"{LEASES}?dryRun=All", {"metadata": {"name": "b"}}, loosely=True),
    get("version that is none", f"{WIDGETS}?resourceVersion=abc"),
    get("watch from a version that is none", f"{WIDGETS}?watch=1&resourceVersion=abc&timeoutSeconds=1"),
    get("watch from the future", f"{WIDGETS}?watch=1&resourceVersion=99999999&timeoutSeconds=1"),
    Request("update from old version", "PUT", f"{WIDGETS}/w1",
            {**widget("w1", x=5), "metadata": {"name": "w1", "resourceVersion": "1"}}),
    Request("update from no version", "PUT", f"{WIDGETS}/w1", widget("w1", x=5)),
    Request("update builtin from no version", "PUT", f"{LEASES}/a", lease("a")),
    Request("update of another name", "PUT", f"{WIDGETS}/w1", widget("w2", x=5)),
    Request("update of nobody", "PUT", f"{WIDGETS}/w99",
            {**widget("w99", x=5), "metadata": {"name": "w99", "resourceVersion": "1"}}),
    patch("merge", {"spec": {"y": 2, "x": None}, "status": {"phase": "no"}}),
    patch("merge nothing new", {"spec": {"y": 2}}),
    patch("merge status", {"spec": {"y": 9}, "status": {"phase": "yes"}}, path=f"{WIDGETS}/w1/status"),
    patch("merge from old version", {"metadata": {"resourceVersion": "1"}, "spec": {"y": 2}}),
    patch("replace", [{"op": "replace", "path": "/spec/y", "value": 7}], OPERATIONS),
    patch("failing test", [{"op": "test", "path": "/spec/y", "value": 99}], OPERATIONS),
    patch("operation on nothing", [{"op": "replace", "path": "/spec/nope/x", "value": 99}], OPERATIONS),
    patch("strategic on custom", {"spec": {"y": 2}}, "application/strategic-merge-patch+json"),
    patch("unknown kind of patch", {"spec": {"y": 2}}, "application/json"),
    patch("apply", widget("applied", q=1), "application/apply-patch+yaml", f"{WIDGETS}/applied?fieldManager=me"),
    patch("apply again", widget("applied", q=2), "application/apply-patch+yaml", f"{WIDGETS}/applied?fieldManager=me"),
    patch("apply by nobody", widget("applied", q=2), "application/apply-patch+yaml", f"{WIDGETS}/applied"),
    patch("patch of nobody", {"spec": {"y": 2}}, path=f"{WIDGETS}/nope"),
    get("no such subresource", f"{WIDGETS}/w1/scale"),
    get("status", f"{WIDGETS}/w1/status"),
    Request("delete of another uid", "DELETE", f"{WIDGETS}/w2", {"kind": "DeleteOptions", "apiVersion": "v1",
                                                                "preconditions": {"uid": "nope"}}, loosely=True),
    Request("delete of another version", "DELETE", f"{WIDGETS}/w2", {"kind": "DeleteOptions", "apiVersion": "v1",
                                                                    "preconditions": {"resourceVersion": "1"}},
            loosely=True),
    patch("finalizer", {"metadata": {"finalizers": ["example.com/x"]}}, path=f"{WIDGETS}/w3"),
    Request("delete what has a finalizer", "DELETE", f"{WIDGETS}/w3"),
    Request("delete it again", "DELETE", f"{WIDGETS}/w3"),
    patch("change it", {"spec": {"y": 5}}, path=f"{WIDGETS}/w3"),
    patch("no finalizer", {"metadata": {"finalizers": None}}, path=f"{WIDGETS}/w3"),
    get("what had a finalizer is gone", f"{WIDGETS}/w3"),
    Request("delete dry", "DELETE", f"{WIDGETS}/w2?dryRun=All"),
    Request("delete", "DELETE", f"{WIDGETS}/w2"),
    Request("delete again", "DELETE", f"{WIDGETS}/w2"),
    Request("delete builtin", "DELETE", f"{LEASES}/a"),
    get("discovery of a group", "/apis/example.com"),
    get("discovery of a version", "/apis/example.com/v1"),
    get("discovery of no version", "/apis/example.com/v9"),
    get("discovery of no group", "/apis/nope.io"),
    get("ready", "/readyz"),
    Request("drop a stored version", "PATCH", f"{DEFINITIONS}/widgets.example.com",
            [{"op": "remove", "path": "/spec/versions/0"}, {"op": "replace", "path": "/spec/versions/0/storage",
                                                           "value": True}], kind=OPERATIONS, loosely=True),
    Request("change the storage version", "PATCH", f"{DEFINITIONS}/widgets.example.com",
            [{"op": "replace", "path": "/spec/versions/0/storage", "value": False},
             {"op": "replace", "path": "/spec/versions/1/storage", "value": True}], kind=OPERATIONS),
    # loosely: the real server notes a new storage version a moment later
    Request("delete the definition", "DELETE", f"{DEFINITIONS}/widgets.example.com", loosely=True),
)  # fmt: skip


def comparable(status: int, kind: str, text: str, *, loosely: bool) -> object:
    """An answer without what differs from run to run."""
    try:
        body = json.loads(text)
    except ValueError:
        return status, kind, text
    if loosely:
        return status, kind, body.get("reason")
    return status, kind, _stripped(body)


def _stripped(value: object) -> object:
    if isinstance(value, dict):
        return {
            name: "*" if name in _CHANGING or (name == "continue" and inner) else _stripped(inner)
            for name, inner in value.items() if name not in _LEFT_OUT
        }  # fmt: skip
    if isinstance(value, list):
        return [_stripped(item) for item in value]
    return re.sub(r"current: \d+", "current: *", value) if isinstance(value, str) else value


async def answers(url: str, *, tls: ssl.SSLContext | bool) -> dict[str, object]:
    """Every request in turn, on a fresh definition."""
    found: dict[str, object] = {}
    token = {"Authorization": f"Bearer {ADMIN}"}
    connector = aiohttp.TCPConnector(ssl=tls)
    async with aiohttp.ClientSession(headers=token, connector=connector) as session:

        async def send(request: Request) -> tuple[int, str, str, list[str]]:
            raw = isinstance(request.body, bytes) or request.body is None
            data = request.body if raw else json.dumps(request.body).encode()
            headers = {"Accept": request.accept, "Content-Type": request.kind}
            target = yarl.URL(url + request.path, encoded=True)
            async with session.request(request.method, target, data=data, headers=headers) as answer:
                warnings = answer.headers.getall("Warning", [])
                return answer.status, answer.content_type, await answer.text(), warnings

        assert (await send(post("definition", DEFINITIONS, DEFINITION)))[0] == 201
        async with asyncio.timeout(20):
            while (await send(get("served", WIDGETS)))[0] != 200 or not await _published(send):  # noqa: ASYNC110 - the server says it no other way
                await asyncio.sleep(0.1)
        for request in REQUESTS:
            status, kind, text, warnings = await send(request)
            found[request.name] = warnings, comparable(status, kind, text, loosely=request.loosely)
    await asyncio.sleep(0.05 if tls is not True else 0)  # aiohttp closes TLS connections a moment later
    return found


async def _published(send: Any) -> bool:  # noqa: ANN401
    """A definition is created, then established, then in discovery; created objects are served in between."""
    return bool((await send(get("published", "/apis/example.com/v1")))[0] == 200)


async def test_simulated_and_real_server_answer_alike(real_apiserver: RealApiServer) -> None:
    trusted = ssl.create_default_context(cafile=str(real_apiserver.ca_file))
    really = await answers(real_apiserver.url, tls=trusted)
    async with serving(guests=1) as (_, client):
        simulated = await answers(client.url, tls=True)
    for request in REQUESTS:
        assert simulated[request.name] == really[request.name], request.name
