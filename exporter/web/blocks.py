"""What the page's parts are built from: cards, tables that become blocks on a phone, tiles, bars."""

from collections.abc import Iterable, Sequence

from exporter.web.markup import Html, el
from exporter.web.wording import Tone, amount


def card(name: str, *children: str | None) -> Html:
    """A section with a heading."""
    return el("section", el("h2", name), *children, class_="card")


def nothing(why: str) -> Html:
    """Said where there is nothing to show."""
    return el("p", why, class_="muted")


def table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> Html:
    """On a phone each row becomes a block, and the columns' names stand before the values."""
    head = el("thead", el("tr", *(el("th", name, scope="col") for name in columns)))
    return el("table", head, el("tbody", *(_row(columns, row) for row in rows)))


def _row(columns: Sequence[str], row: Sequence[str]) -> Html:
    return el("tr", *(el("td", el("div", cell), data_label=name) for name, cell in zip(columns, row, strict=True)))


def tile(name: str, number: float | None, *, bad: Tone | None = None, note: str = "") -> Html:
    """A number with its name; `bad` is the tone of anything but 0. For a `dl`."""
    tone = bad if bad is not None and number else None
    return el(
        "div",
        el("dt", name),
        el("dd", amount(number)),
        el("dd", note, class_="note") if note else None,
        class_=f"tile {tone.value}" if tone else "tile",
    )


def bar(part: float, whole: float, *, says: str, label: str, tone: Tone = Tone.PLAIN) -> Html:
    """How much of something, drawn and said; `label` tells those who hear the page what it is about."""
    drawn = el("progress", value=min(part, whole), max=whole, aria_label=label, class_=tone.value)
    return el("span", drawn, " ", says, class_="bar")


def on_demand(identity: str, name: str, *children: str | None) -> Html:
    """Unfolded by a click; the identity keeps it open over a refresh."""
    return el("details", el("summary", name), *children, id=identity)


def counts(by_reason: Iterable[tuple[str, int]]) -> str:
    """`out of memory 1, evicted 2`: what occurred."""
    return ", ".join(f"{reason.replace('_', ' ')} {count}" for reason, count in by_reason if count)
