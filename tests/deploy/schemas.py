"""Schemas of the foreign custom resources that the chart makes: only the fields it uses, and nothing beside them.

Written from the documentation of the Prometheus Operator (monitoring.coreos.com/v1, 0.80 and newer) and of cert-manager
(cert-manager.io/v1). A new field is added here when the chart begins to use it, after a look at these.
"""

from typing import Any, Final

Schema = dict[str, Any]

TEXT: Final[Schema] = {"type": "string", "minLength": 1}
TEXTS: Final[Schema] = {"type": "object", "additionalProperties": {"type": "string"}}
DURATION: Final[Schema] = {"type": "string", "pattern": r"^(([0-9]+)(ms|s|m|h|d))+$"}


def _object(required: tuple[str, ...] = (), **properties: Schema) -> Schema:
    return {
        "type": "object",
        "required": list(required),
        "properties": properties,
        "additionalProperties": False,
    }


def _list(items: Schema) -> Schema:
    return {"type": "array", "items": items, "minItems": 1}


def _resource(version: str, kind: str, spec: Schema) -> Schema:
    return _object(
        ("apiVersion", "kind", "metadata", "spec"),
        apiVersion={"const": version},
        kind={"const": kind},
        metadata=_object(("name", "namespace", "labels"), name=TEXT, namespace=TEXT, labels=TEXTS),
        spec=spec,
    )


_KEY = _object(("name", "key"), name=TEXT, key=TEXT)
_RELABELINGS = _list(
    _object(
        sourceLabels=_list(TEXT),
        separator=TEXT,
        targetLabel=TEXT,
        regex=TEXT,
        replacement={"type": "string"},
        action={"enum": ["replace", "keep", "drop", "labeldrop", "labelkeep", "labelmap"]},
    )
)

_SERVICE_MONITOR = _object(
    ("selector", "endpoints"),
    serviceDiscoveryRole={"enum": ["Endpoints", "EndpointSlice"]},
    scrapeClass=TEXT,
    namespaceSelector=_object(matchNames=_list(TEXT)),
    selector=_object(matchLabels=TEXTS),
    endpoints=_list(
        _object(
            ("port",),
            port=TEXT,
            path=TEXT,
            scheme={"enum": ["http", "https"]},
            interval=DURATION,
            scrapeTimeout=DURATION,
            honorLabels={"type": "boolean"},
            tlsConfig=_object(
                serverName=TEXT,
                ca={
                    "type": "object",
                    "properties": {"secret": _KEY, "configMap": _KEY},
                    "additionalProperties": False,
                    "minProperties": 1,
                    "maxProperties": 1,
                },
            ),
            authorization=_object(type={"const": "Bearer"}, credentials=_KEY),
            relabelings=_RELABELINGS,
            metricRelabelings=_RELABELINGS,
        )
    ),
)

_PROMETHEUS_RULE = _object(
    ("groups",),
    groups=_list(
        _object(
            ("name", "rules"),
            name=TEXT,
            interval=DURATION,
            rules=_list(
                {
                    "oneOf": [
                        _object(("record", "expr"), record=TEXT, expr=TEXT, labels=TEXTS),
                        _object(
                            ("alert", "expr"),
                            alert=TEXT,
                            expr=TEXT,
                            labels=TEXTS,
                            annotations=TEXTS,
                            **{"for": DURATION, "keep_firing_for": DURATION},
                        ),
                    ]
                }
            ),
        )
    ),
)

_CERTIFICATE = _object(
    ("secretName", "issuerRef"),
    secretName=TEXT,
    commonName={"type": "string", "maxLength": 64},
    dnsNames=_list(TEXT),
    usages=_list({"enum": ["server auth", "digital signature", "key encipherment"]}),
    privateKey=_object(algorithm={"enum": ["RSA", "ECDSA", "Ed25519"]}, rotationPolicy={"enum": ["Never", "Always"]}),
    issuerRef=_object(("name",), name=TEXT, kind=TEXT, group=TEXT),
)

CUSTOM: Final[dict[str, Schema]] = {
    "ServiceMonitor": _resource("monitoring.coreos.com/v1", "ServiceMonitor", _SERVICE_MONITOR),
    "PrometheusRule": _resource("monitoring.coreos.com/v1", "PrometheusRule", _PROMETHEUS_RULE),
    "Certificate": _resource("cert-manager.io/v1", "Certificate", _CERTIFICATE),
    "Issuer": _resource("cert-manager.io/v1", "Issuer", _object(("selfSigned",), selfSigned={"type": "object"})),
}
