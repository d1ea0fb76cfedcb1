"""What of an object goes into a recording: no schemas, no copies of manifests, nothing that may be a secret.

Guests carry their first-boot data in their specs, and passwords in it; definitions are a hundred times as long with
their schemas. Everything else stays as it was sent.
"""

from typing import Any, Final

import msgspec

from exporter.model import resources
from exporter.recording.manifests import IGNITION

LEFT_OUT: Final = "left out of the recording"
_COPY: Final = "kubectl.kubernetes.io/last-applied-configuration"
_BOOT_DATA: Final = frozenset({"userData", "userDataBase64", "networkData", "networkDataBase64", IGNITION})
"""Of cloud-init volumes, and an annotation; references to Secrets have other names (`userDataSecretRef`)."""
_SUSPECT: Final = (b'"userData', b'"networkData', _COPY.encode(), IGNITION.encode())
_OF_VERSIONS: Final = ("schema", "subresources", "additionalPrinterColumns")


def trimmed(resource: str, raw: msgspec.Raw) -> msgspec.Raw:
    """The object as it is recorded, on one line; `resource` is our name. Raises ValueError: it is not JSON."""
    text = bytes(raw)
    if resource != resources.CRDS and b"\n" not in text and not any(mark in text for mark in _SUSPECT):
        return raw
    thing = msgspec.json.decode(text)
    if resource == resources.CRDS:
        _definition(thing)
    _clean(thing)
    return msgspec.Raw(msgspec.json.encode(thing))


def _definition(thing: Any) -> None:  # noqa: ANN401 - JSON
    spec = thing.get("spec") if isinstance(thing, dict) else None
    for version in (spec or {}).get("versions") or ():
        for name in _OF_VERSIONS:
            version.pop(name, None)


def _clean(thing: Any) -> None:  # noqa: ANN401 - JSON
    match thing:
        case dict():
            thing.pop(_COPY, None)
            for name, value in thing.items():
                if name in _BOOT_DATA and isinstance(value, str):
                    thing[name] = LEFT_OUT
                else:
                    _clean(value)
        case list():
            for value in thing:
                _clean(value)
        case _:
            pass
