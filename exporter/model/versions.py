"""KubeVirt and Kubernetes versions: reading, comparing, counting minors.

A version stays the string somebody published; `parse` looks inside. Unknown stays `unknown`.
"""

import re
from typing import NamedTuple

UNKNOWN = "unknown"

_SEMVER = re.compile(r"^v?(\d{1,9})\.(\d{1,9})(?:\.(\d{1,9}))?(?:-([0-9A-Za-z.-]+))?(?:\+.*)?$")


class Version(NamedTuple):
    """Major, minor, patch; a pre-release sorts before its release."""

    major: int
    minor: int
    patch: int
    release: bool
    pre: str

    @property
    def line(self) -> str:
        """The minor release, such as `1.4`."""
        return f"{self.major}.{self.minor}"


def parse(text: str) -> Version | None:
    """Read `v1.4.0`, `1.4.0-rc.1`, `v1.36.2+build`; None where it is not a version (a digest, `latest`, empty)."""
    match = _SEMVER.match(text)
    if match is None:
        return None
    major, minor, patch, pre = match.groups()
    return Version(int(major), int(minor), int(patch or 0), pre is None, pre or "")


def minors_between(old: str, new: str) -> int | None:
    """Minor releases from old to new, negative backwards; None where one is unreadable or the major differs."""
    a, b = parse(old), parse(new)
    if a is None or b is None or a.major != b.major:
        return None
    return b.minor - a.minor


def image_tag(image: str) -> str:
    """The tag of `registry/name:tag`; empty for a digest or none."""
    last = image.rpartition("/")[2]
    if "@" in last:
        return ""
    return last.partition(":")[2]
