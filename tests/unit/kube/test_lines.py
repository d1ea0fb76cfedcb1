"""Lines out of chunks."""

import itertools

import hypothesis
import pytest
from hypothesis import strategies as st

from exporter.kube import lines


def split(*chunks: bytes, limit: int = 100) -> list[bytes]:
    splitter = lines.Splitter(limit=limit)
    return [line for chunk in chunks for block in splitter.feed(chunk) for line in lines.each(block)]


@pytest.mark.parametrize(
    ("chunks", "expected"),
    [
        ([b"a\nb\n"], [b"a", b"b"]),
        ([b"a", b"b", b"c\n"], [b"abc"]),
        ([b"a\nb", b"c\nd"], [b"a", b"bc"]),
        ([b"a", b"\n", b"\n\nb\n"], [b"a", b"b"]),
        ([b"unfinished"], []),
        ([b""], []),
    ],
)
def test_lines(chunks: list[bytes], expected: list[bytes]) -> None:
    assert split(*chunks) == expected


@hypothesis.given(st.lists(st.binary(max_size=20)), st.data())
def test_chunks_may_be_cut_anywhere(parts: list[bytes], data: st.DataObject) -> None:
    whole = [part.replace(b"\n", b"x") for part in parts]
    text = b"".join(part + b"\n" for part in whole)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=5)))
    chunks = [text[start:end] for start, end in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    assert split(*chunks) == [part for part in whole if part]


def test_only_a_line_that_was_cut_is_copied() -> None:
    chunk = b"second half\nb\nc\nrest"
    splitter = lines.Splitter(limit=100)
    splitter.feed(b"first and ")
    first, others = splitter.feed(chunk)
    assert first == b"first and second half\n"
    assert isinstance(others, memoryview)
    assert others.obj is chunk
    assert bytes(others) == b"b\nc\n"


@pytest.mark.parametrize("size", [1, 7, 500])
def test_long_line_is_refused_before_it_ends(size: int) -> None:
    """Whatever the chunks, no more than the limit and one chunk is ever held."""
    endless = itertools.repeat(b"x" * size, 500)
    with pytest.raises(lines.TooLong):
        split(*endless)


@pytest.mark.parametrize("text", [b"x" * 101 + b"\n", b"a\n" + b"x" * 101 + b"\nb\n", b"a\n" + b"x" * 101])
def test_long_line_within_a_chunk_is_refused(text: bytes) -> None:
    with pytest.raises(lines.TooLong):
        split(text)


def test_line_as_long_as_the_limit_is_taken() -> None:
    assert split(b"x" * 60, b"x" * 40 + b"\n" + b"y" * 100 + b"\n") == [b"x" * 100, b"y" * 100]
