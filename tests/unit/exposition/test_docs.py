"""The metric reference is written from the declarations."""

from exporter.exposition import docs
from exporter.model.families import Family, Kind


class Guests:
    name = "guests"
    families = (
        Family(
            name="phase",
            kind=Kind.STATESET,
            help="Where they are;\n a | b.",
            labels=("component", "phase"),
            states=("idle", "busy"),
        ),
        Family(name="lost", kind=Kind.COUNTER, help="Lost."),
    )


def test_a_source_is_a_chapter_and_a_family_a_row() -> None:
    text = docs.markdown([Guests])
    assert text.startswith("# Metrics\n")
    assert text.endswith("""
## guests

| metric | type | labels | meaning |
|---|---|---|---|
| `kubevirt_upgrade_phase` | state-set | `component`, `phase` = `idle` `busy` | Where they are; a \\| b. |
| `kubevirt_upgrade_lost_total` | counter |  | Lost. |
""")
