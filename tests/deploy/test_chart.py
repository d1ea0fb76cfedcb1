"""The chart: valid on every supported Kubernetes, and what it promises about how the exporter runs."""

import functools
import io
import json
import pathlib
import re
from typing import Any

import helm_python as helm
import jsonschema
import kubernetes_validate
import pytest
import yaml
import yamllint.config
import yamllint.linter

import exporter
from deploy.src import install
from exporter.cli import run
from tests.deploy import schemas
from tests.deploy.rendering import CASES, CHART, Manifest, of_kind, one, pod, rendered, values

KUBERNETES = [f"1.{minor}" for minor in range(28, 38)]
CLUSTER_SCOPED = {"ClusterRole", "ClusterRoleBinding", "CustomResourceDefinition"}

cases = pytest.mark.parametrize("case", CASES)


# --- valid ---


@cases
def test_helm_finds_nothing_to_complain_about(case: str) -> None:
    report = helm.lint(CHART, values(case), strict=True, kube_version="v1.37.0")
    assert report["errors"] == []
    assert [message["error"] for message in report["messages"]] == ["icon is recommended"]


@pytest.fixture(scope="module")
def builtin() -> list[Manifest]:
    """The objects of all cases whose kinds Kubernetes knows, each once."""
    different = {json.dumps(manifest): manifest for case in CASES for manifest in rendered(case)}
    return [manifest for manifest in different.values() if manifest["kind"] not in schemas.CUSTOM]


@pytest.mark.parametrize("version", KUBERNETES)
def test_objects_are_valid_in_each_supported_kubernetes(
    builtin: list[Manifest], version: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each schema is read once a version, not once an object.
    monkeypatch.setattr(
        kubernetes_validate.utils, "schema_contents", functools.cache(kubernetes_validate.utils.schema_contents)
    )
    for manifest in builtin:
        used = kubernetes_validate.validate(manifest, version, strict=True)
        assert used == version, "the package does not know this version"


def test_an_invalid_object_is_found(builtin: list[Manifest]) -> None:
    policy = next(manifest for manifest in builtin if manifest["kind"] == "PodDisruptionBudget")
    wrong = policy | {"spec": policy["spec"] | {"maxUnavailabel": 1}}
    with pytest.raises(kubernetes_validate.ValidationError, match="maxUnavailabel"):
        kubernetes_validate.validate(wrong, KUBERNETES[0], strict=True)


@cases
def test_custom_resources_fit_their_schemas(case: str) -> None:
    for manifest in of_kind(case, *schemas.CUSTOM):
        jsonschema.validate(manifest, schemas.CUSTOM[manifest["kind"]])


def test_custom_resources_of_each_kind_were_seen() -> None:
    """Otherwise the test above proves less than it says."""
    seen = {manifest["kind"] for case in CASES for manifest in of_kind(case, *schemas.CUSTOM)}
    assert seen == set(schemas.CUSTOM)


@pytest.mark.parametrize("path", [CHART / "values.yaml", CHART / "Chart.yaml", *CASES.values()], ids=lambda p: p.name)
def test_yaml_that_people_read_is_tidy(path: pathlib.Path) -> None:
    rules = yamllint.config.YamlLintConfig(
        "{extends: default, rules: {document-start: disable, line-length: {max: 125}, "
        "comments: {min-spaces-from-content: 1}, comments-indentation: disable, braces: {forbid: false}}}"
    )
    assert [str(problem) for problem in yamllint.linter.run(io.StringIO(path.read_text()), rules)] == []


def test_the_chart_is_of_the_version_of_the_program() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (exporter.__version__, exporter.__version__)


@cases
def test_names_are_unique_and_every_namespaced_object_says_where(case: str) -> None:
    names = [
        (manifest["kind"], manifest["metadata"].get("namespace"), manifest["metadata"]["name"])
        for manifest in rendered(case)
    ]
    assert len(set(names)) == len(names)
    for kind, namespace, name in names:
        assert bool(namespace) == (kind not in CLUSTER_SCOPED), (kind, name)


# --- values ---


def test_the_schema_knows_exactly_the_values_there_are() -> None:
    schema = json.loads((CHART / "values.schema.json").read_text())
    assert _paths_of_schema(schema) - {"global"} == _paths(yaml.safe_load((CHART / "values.yaml").read_text()), schema)


def _paths_of_schema(schema: dict[str, Any], prefix: str = "") -> set[str]:
    found = set()
    for name, below in schema.get("properties", {}).items():
        found |= _paths_of_schema(below, f"{prefix}{name}.") or {prefix + name}
    return found


def _paths(given: object, schema: dict[str, Any], prefix: str = "") -> set[str]:
    """The leaves of the values: what the schema does not look into is a leaf."""
    if not isinstance(given, dict) or "properties" not in schema:
        return {prefix.removesuffix(".")}
    found = set()
    for name, value in given.items():
        found |= _paths(value, schema["properties"].get(name, {}), f"{prefix}{name}.")
    # parts that are empty by default, such as issuerRef: {}
    return found | (_paths_of_schema(schema, prefix) if not given else set())


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"replicaCount": 3}, "replicaCount"),
        ({"replicas": 0}, "replicas"),
        ({"image": {"digest": "sha256:short"}}, "digest"),
        ({"kubevirt": {"namespace": ""}}, "namespace"),
        ({"auth": "basic"}, "auth"),
        ({"config": {"listen": ":1"}}, "invalid propertyName 'listen'"),
        ({"config": {"stalled_after": 600}}, "invalid propertyName 'stalled_after'"),
        ({"commonLabels": {"app.kubernetes.io/name": "mine"}}, "app.kubernetes.io/name"),
        ({"podLabels": {"app.kubernetes.io/instance": "mine"}}, "app.kubernetes.io/instance"),
        ({"podLabels": {"team": "two words"}}, "/podLabels/team"),
        ({"fullnameOverride": "Kue_1"}, "/fullnameOverride"),
        ({"auth": "kubernetes", "readers": [{"kind": "ServiceAccount", "name": "a"}]}, "namespace"),
        ({"readers": [{"kind": "User", "name": "a"}]}, "readers are named, but with auth: none everybody may read"),
        ({"probes": {"clusterScoped": True}}, "probes.clusterScoped needs probes.namespace"),
        ({"tls": {"secretName": "mine"}}, "tls.enabled is not set, and yet there is a certificate"),
        ({"tls": {"certManager": {"enabled": True}}}, "tls.enabled is not set, and yet there is a certificate"),
        ({"tls": {"openshiftServiceCA": True}}, "tls.enabled is not set, and yet there is a certificate"),
        ({"networkPolicy": {"apiServerPorts": []}}, "apiServerPorts"),
        ({"auth": "kubernetes"}, "auth: kubernetes needs tls.enabled"),
        ({"tls": {"enabled": True}}, "tls.enabled needs a certificate"),
    ],
)
def test_wrong_values_are_refused_with_their_name(wrong: dict[str, Any], message: str) -> None:
    with pytest.raises(helm.HelmError, match=re.escape(message)):
        install.manifests(CHART, wrong)


def flags(case: str) -> dict[str, str]:
    """The daemon's flags: name → value."""
    [container] = pod(case)["containers"]
    command, *given = container["args"]
    assert command == "run"
    return dict(flag.removeprefix("--").split("=", 1) for flag in given)


@cases
def test_the_daemon_knows_its_flags_and_settings(case: str) -> None:
    known = {option.removeprefix("--") for parameter in run.command.params for option in parameter.opts}
    assert known >= flags(case).keys() | values(case).get("config", {}).keys()


def test_config_takes_the_daemons_settings_but_for_those_that_the_chart_makes() -> None:
    """A flag would win over the file without a word; a wrong name would be told by a pod that does not start."""
    schema = json.loads((CHART / "values.schema.json").read_text())
    known = {option.removeprefix("--") for parameter in run.command.params for option in parameter.opts}
    made = {flag for case in CASES for flag in flags(case)}
    outside = {"kubeconfig", "context"}  # a pod has its own credentials
    assert set(schema["properties"]["config"]["propertyNames"]["enum"]) == known - made - outside


def test_a_label_that_is_given_twice_is_there_once_and_the_nearer_one_holds() -> None:
    """Some readers of YAML refuse a mapping with the same key twice."""
    given = {
        "commonLabels": {"team": "all"},
        "podLabels": {"team": "pods"},
        "serviceMonitor": {"enabled": True, "labels": {"team": "monitors"}},
        "prometheusRule": {"enabled": True, "labels": {"team": "rules"}},
        "dashboards": {"enabled": True, "labels": {"team": "boards"}},
    }
    with helm.Chart.load(CHART) as chart:
        texts = chart.render(given, name="it", namespace="it").values()
    assert not [text for text in texts if re.search(r"^( +)team: .*\n(?:\1[a-z].*\n)*\1team: ", text, re.MULTILINE)]
    made = {manifest["kind"]: manifest for manifest in install.manifests(CHART, given)}
    assert made["Service"]["metadata"]["labels"]["team"] == "all"
    assert made["Deployment"]["spec"]["template"]["metadata"]["labels"]["team"] == "pods"
    assert made["ServiceMonitor"]["metadata"]["labels"]["team"] == "monitors"
    assert made["PrometheusRule"]["metadata"]["labels"]["team"] == "rules"
    assert made["ConfigMap"]["metadata"]["labels"]["team"] == "boards"


def test_a_short_interval_alone_is_no_mistake() -> None:
    """With a scrape timeout that is longer, the Prometheus Operator drops the ServiceMonitor without a word."""
    given = {"serviceMonitor": {"enabled": True, "interval": "5s"}}
    [monitor] = [made for made in install.manifests(CHART, given) if made["kind"] == "ServiceMonitor"]
    assert "scrapeTimeout" not in monitor["spec"]["endpoints"][0]


# --- how it runs ---


def restricted(spec: dict[str, Any]) -> list[str]:
    """What in a pod's spec the Pod Security Standard "restricted" forbids."""
    wrong = [f"{key} is set" for key in ("hostNetwork", "hostPID", "hostIPC") if spec.get(key)]
    shared = spec.get("securityContext", {})
    allowed = {
        "configMap",
        "csi",
        "downwardAPI",
        "emptyDir",
        "ephemeral",
        "persistentVolumeClaim",
        "projected",
        "secret",
    }
    for volume in spec.get("volumes", ()):
        wrong += [f"volume of kind {kind}" for kind in volume.keys() - {"name"} - allowed]
    for container in [*spec["containers"], *spec.get("initContainers", ())]:
        own = container.get("securityContext", {})
        both = shared | own
        wrong += [
            text
            for text, bad in {
                "may run as root": both.get("runAsNonRoot") is not True or both.get("runAsUser") == 0,
                "no seccomp profile": both.get("seccompProfile", {}).get("type") not in {"RuntimeDefault", "Localhost"},
                "may gain privileges": own.get("allowPrivilegeEscalation") is not False or own.get("privileged", False),
                "keeps capabilities": "ALL" not in own.get("capabilities", {}).get("drop", ()),
                "adds capabilities": bool(set(own.get("capabilities", {}).get("add", ())) - {"NET_BIND_SERVICE"}),
                "host ports": any("hostPort" in port for port in container.get("ports", ())),
            }.items()
            if bad
        ]
    return wrong


@cases
def test_pods_satisfy_the_restricted_standard_and_write_nowhere(case: str) -> None:
    assert restricted(pod(case)) == []
    assert all(container["securityContext"]["readOnlyRootFilesystem"] for container in pod(case)["containers"])


def test_a_pod_that_is_not_restricted_is_found() -> None:
    spec: dict[str, Any] = {"hostNetwork": True, "containers": [{}], "volumes": [{"name": "a", "hostPath": {}}]}
    assert restricted(spec) == [
        "hostNetwork is set",
        "volume of kind hostPath",
        "may run as root",
        "no seccomp profile",
        "may gain privileges",
        "keeps capabilities",
    ]


def test_there_are_never_fewer_replicas_than_asked_for() -> None:
    spec = one("defaults", "Deployment")["spec"]
    assert spec["replicas"] == 2
    assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}
    assert one("defaults", "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1


def test_replicas_keep_apart_but_a_third_pod_finds_a_place() -> None:
    """With two nodes, a required rule would leave the surge pod pending and the rollout stuck."""
    affinity = pod("defaults")["affinity"]["podAntiAffinity"]
    assert list(affinity) == ["preferredDuringSchedulingIgnoredDuringExecution"]


def test_health_is_asked_over_tls_where_there_is_tls() -> None:
    for case, scheme in {"defaults": "HTTP", "self-signed": "HTTPS"}.items():
        [container] = pod(case)["containers"]
        assert container["livenessProbe"]["httpGet"] == {"path": "/livez", "port": "metrics", "scheme": scheme}
        assert container["readinessProbe"]["httpGet"] == {"path": "/readyz", "port": "metrics", "scheme": scheme}


def test_control_plane_nodes_and_priority_by_value() -> None:
    spec = pod("prometheus-operator")
    assert {toleration["key"] for toleration in spec["tolerations"]} == {
        "node-role.kubernetes.io/control-plane",
        "dedicated",
    }
    assert spec["priorityClassName"] == "system-cluster-critical"
    assert set(spec["affinity"]) == {"nodeAffinity", "podAntiAffinity"}
    assert "tolerations" not in pod("defaults")
    assert "priorityClassName" not in pod("defaults")


def test_a_change_of_the_configuration_restarts_the_pods() -> None:
    def checksum(config: dict[str, Any]) -> str:
        [deployment] = [m for m in install.manifests(CHART, {"config": config}) if m["kind"] == "Deployment"]
        return str(deployment["spec"]["template"]["metadata"]["annotations"]["checksum/config"])

    assert checksum({"stalled-after": 600}) != checksum({"stalled-after": 601})


# --- things that name each other ---


@cases
def test_all_selectors_select_the_pods(case: str) -> None:
    deployment = one(case, "Deployment")
    labels = deployment["spec"]["template"]["metadata"]["labels"].items()
    service = one(case, "Service")
    assert deployment["spec"]["selector"]["matchLabels"].items() <= labels
    assert service["spec"]["selector"].items() <= labels
    for budget in of_kind(case, "PodDisruptionBudget"):
        assert budget["spec"]["selector"]["matchLabels"].items() <= labels
    for policy in of_kind(case, "NetworkPolicy"):
        assert policy["spec"]["podSelector"]["matchLabels"].items() <= labels
    for monitor in of_kind(case, "ServiceMonitor"):
        assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
        assert monitor["spec"]["namespaceSelector"]["matchNames"] == [service["metadata"]["namespace"]]


@cases
def test_ports_have_one_name_everywhere(case: str) -> None:
    [container] = pod(case)["containers"]
    [port] = container["ports"]
    [exposed] = one(case, "Service")["spec"]["ports"]
    used = [exposed["name"], exposed["targetPort"]]
    used += [
        endpoint["port"] for monitor in of_kind(case, "ServiceMonitor") for endpoint in monitor["spec"]["endpoints"]
    ]
    used += [
        allowed["port"]
        for policy in of_kind(case, "NetworkPolicy")
        for rule in policy["spec"]["ingress"]
        for allowed in rule["ports"]
    ]
    assert set(used) == {port["name"]}
    assert f"--listen=:{port['containerPort']}" in container["args"]


@cases
def test_bindings_bind_roles_and_accounts_that_exist(case: str) -> None:
    roles = {_identity(role) for role in of_kind(case, "Role", "ClusterRole")}
    accounts = {_identity(account)[1:] for account in of_kind(case, "ServiceAccount")}
    foreign = {(reader.get("namespace"), reader["name"]) for reader in values(case).get("readers", [])}
    assert {(namespace) for namespace, _ in accounts} == {install.NAMESPACE}
    assert pod(case)["serviceAccountName"] in {name for _, name in accounts}
    for binding in of_kind(case, "RoleBinding", "ClusterRoleBinding"):
        reference = binding["roleRef"]
        assert (reference["kind"], binding["metadata"].get("namespace"), reference["name"]) in roles
        for subject in binding["subjects"]:
            assert (subject.get("namespace"), subject["name"]) in accounts | foreign


def _identity(manifest: Manifest) -> tuple[str, str | None, str]:
    return manifest["kind"], manifest["metadata"].get("namespace"), manifest["metadata"]["name"]


@cases
def test_volumes_and_secrets_are_those_that_are_made(case: str) -> None:
    made = {(m["kind"], m["metadata"]["name"]) for m in of_kind(case, "ConfigMap", "Secret")}
    made |= {("Secret", m["spec"]["secretName"]) for m in of_kind(case, "Certificate")}
    for service in of_kind(case, "Service"):
        annotation = (
            service["metadata"].get("annotations", {}).get("service.beta.openshift.io/serving-cert-secret-name")
        )
        made.add(("Secret", annotation))
    made.add(("ConfigMap", "openshift-service-ca.crt"))
    for volume in pod(case).get("volumes", ()):
        named = (
            ("Secret", volume["secret"]["secretName"])
            if "secret" in volume
            else ("ConfigMap", volume["configMap"]["name"])
        )
        assert named in made
    for monitor in of_kind(case, "ServiceMonitor"):
        [endpoint] = monitor["spec"]["endpoints"]
        for kind, named_by in endpoint.get("tlsConfig", {}).get("ca", {}).items():
            assert (kind[0].upper() + kind[1:], named_by["name"]) in made
        if "authorization" in endpoint:
            assert ("Secret", endpoint["authorization"]["credentials"]["name"]) in made


def test_guests_namespaces_survive_the_scrape() -> None:
    """Series of guests have a label `namespace`; without honorLabels it would become that of the exporter."""
    for case in ("prometheus-operator", "openshift"):
        [endpoint] = one(case, "ServiceMonitor")["spec"]["endpoints"]
        assert endpoint["honorLabels"] is True
        assert endpoint["scheme"] == "https"


def test_rules_are_those_of_the_project() -> None:
    """Only where their runbooks are, and whether OpenShift's updates wait for them, is for the owner to say."""
    shipped = yaml.safe_load((CHART / "files" / "prometheusrule.yaml").read_text())["spec"]
    moved, prechecked = (one(case, "PrometheusRule")["spec"] for case in ("prometheus-operator", "openshift"))
    names = [rule["alert"] for group in shipped["groups"] for rule in group["rules"] if "alert" in rule]
    runbooks = [rule["annotations"]["runbook_url"] for g in moved["groups"] for rule in g["rules"] if "alert" in rule]
    assert len(runbooks) == len(names)
    assert all(url.startswith("https://wiki.example.com/runbooks/KubeVirt") for url in runbooks)
    assert "openShiftUpdatePrecheck: 'true'" not in yaml.safe_dump(shipped)
    labels = [rule.get("labels", {}) for group in prechecked["groups"] for rule in group["rules"]]
    assert {each.get("openShiftUpdatePrecheck") for each in labels} == {None, "true"}
    assert [_expressions(spec) for spec in (moved, prechecked)] == [_expressions(shipped)] * 2


def _expressions(spec: dict[str, Any]) -> list[str]:
    return [rule["expr"] for group in spec["groups"] for rule in group["rules"]]


def test_dashboards_are_found_by_grafanas_sidecar() -> None:
    shipped = sorted((CHART / "files" / "dashboards").glob("*.json"))
    maps = [
        m
        for m in of_kind("prometheus-operator", "ConfigMap")
        if "grafana_folder" in m["metadata"].get("annotations", {})
    ]
    assert len(maps) == len(shipped)
    for manifest, path in zip(maps, shipped, strict=True):
        assert manifest["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert manifest["metadata"]["namespace"] == "monitoring"
        assert json.loads(manifest["data"][path.name]) == json.loads(path.read_text())
