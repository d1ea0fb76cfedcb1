"""Label selectors as the resource table writes them."""

import pytest

from exporter.model import resources
from exporter.recording import selector


def matches(text: str, **labels: str) -> bool:
    return all(holds(labels) for holds in selector.parse(text))


@pytest.mark.parametrize(
    ("text", "labels", "expected"),
    [
        ("", {}, True),
        ("", {"a": "b"}, True),
        ("a", {"a": ""}, True),
        ("a", {"b": "a"}, False),
        ("a=b", {"a": "b"}, True),
        ("a==b", {"a": "b"}, True),
        ("a=b", {"a": "c"}, False),
        ("a=b", {}, False),
        ("a=", {"a": ""}, True),
        ("a!=b", {"a": "c"}, True),
        ("a!=b", {}, True),
        ("a!=b", {"a": "b"}, False),
        ("a,a!=b", {"a": "c"}, True),
        ("a, a!=b", {}, False),
    ],
)
def test_selector(text: str, labels: dict[str, str], expected: object) -> None:
    assert matches(text, **labels) is expected


@pytest.mark.parametrize("text", ["!a", "a in (b)", "=b", "a,,b"])
def test_unknown_selector_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="not understood"):
        selector.parse(text)


def test_all_selectors_of_the_table_are_understood() -> None:
    for spec in resources.RESOURCES:
        selector.parse(spec.label_selector)
