"""Markup: nothing that comes from outside can become an element or leave its attribute."""

import html.parser

import pytest
from hypothesis import given, strategies as st

from exporter.web import markup
from exporter.web.markup import Html, el


class Reader(html.parser.HTMLParser):
    """What a browser would make of a text: elements with attributes, and the text between them."""

    def __init__(self) -> None:
        super().__init__()
        self.elements: list[tuple[str, list[tuple[str, str | None]]]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, attrs))

    def handle_data(self, data: str) -> None:
        self.text += data


def read(source: str) -> Reader:
    reader = Reader()
    reader.feed(source)
    reader.close()
    return reader


@given(st.text(st.characters(exclude_characters="\r\0")), st.text(st.characters(exclude_characters="\r\0")))
def test_any_text_comes_through_as_itself(text: str, value: str) -> None:
    got = read(el("p", text, title=value))
    assert got.elements == [("p", [("title", value)])]
    assert got.text == text


def test_elements_nest_and_attributes_are_spelt_for_html() -> None:
    assert (
        el("p", el("b", "1 < 2"), None, class_="x", aria_label="a") == '<p class="x" aria-label="a"><b>1 &lt; 2</b></p>'
    )
    assert el("p", hidden=True) == "<p hidden></p>"
    assert el("p", hidden=False, title=None) == "<p></p>"
    assert el("progress", value=0) == '<progress value="0"></progress>'
    assert el("meta", charset="utf-8") == '<meta charset="utf-8">'


def test_what_is_put_together_is_escaped_once() -> None:
    assert markup.together([el("b", "&"), "&"]) == "<b>&amp;</b>&amp;"
    assert isinstance(markup.together(["a", "b"]), Html)


def test_our_own_style_cannot_end_its_element() -> None:
    assert markup.verbatim("style", "a > b {}") == "<style>a > b {}</style>"
    with pytest.raises(ValueError, match="end tag"):
        markup.verbatim("style", "</style>")
