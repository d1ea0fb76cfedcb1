"""The rules of naming: each refusal has an example, and what is right goes through."""

import msgspec
import pytest

from exporter.exposition import catalogue, own, process, registry
from exporter.model.families import Family, Kind

GUESTS = Family(name="guests", kind=Kind.GAUGE, help="Guests.")


def but(**changes: object) -> Family:
    """GUESTS with changes."""
    return msgspec.structs.replace(GUESTS, **changes)


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"name": "Guests"}, "the name is not lower snake case"),
        ({"name": "guests__lost"}, "the name is not lower snake case"),
        ({"name": "guests_total", "kind": Kind.COUNTER}, "the name ends in what the format itself appends"),
        ({"name": "guests_info", "kind": Kind.INFO}, "the name ends in what the format itself appends"),
        ({"name": "guests_count"}, "the name ends in what the format itself appends"),
        ({"help": " "}, "there is no help"),
        ({"labels": ("a", "a")}, "a label is declared twice"),
        ({"labels": ("Phase",)}, "label Phase is not lower snake case"),
        ({"labels": ("__name__",)}, "label __name__ is not lower snake case"),
        ({"labels": ("le",)}, "label le belongs to the format"),
        ({"labels": ("pod",)}, "label pod belongs to the target"),
        ({"kind": Kind.STATESET, "labels": ("phase",)}, "states belong to state-sets"),
        ({"states": ("a",), "labels": ("phase",)}, "states belong to state-sets"),
        ({"kind": Kind.STATESET, "states": ("a",)}, "no label carries the state"),
        ({"kind": Kind.HISTOGRAM}, "buckets belong to histograms"),
        ({"buckets": (1.0,)}, "buckets belong to histograms"),
        ({"kind": Kind.HISTOGRAM, "buckets": (2.0, 1.0)}, "buckets do not rise"),
    ],
)
def test_a_wrong_declaration_is_refused(changes: dict[str, object], fault: str) -> None:
    with pytest.raises(ValueError, match=fault):
        catalogue.check([but(**changes)])


def test_all_faults_are_told_together() -> None:
    with pytest.raises(ValueError, match=r"Guests: .*; kubevirt_upgrade_x: there is no help"):
        catalogue.check([but(name="Guests"), but(name="x", help="")])


@pytest.mark.parametrize("name", ["lost", "lost_created"])
def test_a_gauge_may_not_use_a_name_that_belongs_to_a_counter(name: str) -> None:
    """The names in the text count, not only the declared ones."""
    with pytest.raises(ValueError, match=f"kubevirt_upgrade_{name} is declared 2 times"):
        catalogue.check([but(name="lost", kind=Kind.COUNTER), but(name=name)])


def test_another_prefix_is_another_name() -> None:
    catalogue.check([GUESTS, but(prefix="process_")])


def test_our_own_families_keep_the_rules() -> None:
    catalogue.check([*own.FAMILIES, *process.FAMILIES, *registry.FAMILIES])
