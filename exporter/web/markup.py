"""HTML that is escaped unless it was made here, so that no text of a cluster can become markup.

For the status page only. There is no way to pass raw HTML through: what is not `Html` is text.
"""

import html
from collections.abc import Iterable
from typing import Final

_VOID: Final = frozenset({"br", "link", "meta"})


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


Child = str | None
Value = str | float | bool | None
"""Of an attribute: True stands alone, False and None leave it out."""


def el(tag: str, *children: Child, **attributes: Value) -> Html:
    """An element. Attribute names: a trailing `_` goes (`class_`), the other ones become `-`."""
    written = "".join(_attribute(name, value) for name, value in attributes.items())
    start = f"<{tag}{written}>"
    return Html(start if tag in _VOID else f"{start}{together(children)}</{tag}>")


def together(children: Iterable[Child]) -> Html:
    """One after the other; None leaves no trace."""
    return Html("".join(_escaped(child) for child in children if child is not None))


def verbatim(tag: str, source: str) -> Html:
    """A `style` or `script` element of our own. Browsers do not unescape these, so the source cannot be escaped.

    Raises ValueError: it would end its own element.
    """
    if "</" in source:
        raise ValueError(f"a {tag} that holds an end tag")
    return Html(f"<{tag}>{source}</{tag}>")


def _escaped(child: str) -> str:
    return child if isinstance(child, Html) else html.escape(child)


def _attribute(name: str, value: Value) -> str:
    name = name.rstrip("_").replace("_", "-")
    if value is None or value is False:
        return ""
    return f" {name}" if value is True else f' {name}="{html.escape(str(value))}"'
