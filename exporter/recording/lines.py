"""The lines of a recording file, plain or gzip, in the format that `exporter.recording` describes.

A file that a crash cut short ends where it was cut, and says so; anything else that is not a recording is refused with
file and line. What the lines mean is for `exporter.recording.reader`.
"""

import datetime as dt
import gzip
import io
import pathlib
import zlib
from collections.abc import Iterator
from types import TracebackType
from typing import Annotated, Final, Self

import msgspec

from exporter import errors

FORMAT: Final = 1
_GZIP: Final = b"\x1f\x8b"

Time = Annotated[dt.datetime, msgspec.Meta(tz=True)]


class Header(msgspec.Struct, frozen=True):
    """The first line. `ended` is null where the writer could not know it yet."""

    recording: int
    started: Time
    ended: Time | None = None


class Line(msgspec.Struct, frozen=True, gc=False):
    """Any other line; which fields it has depends on its type."""

    at: Time
    type: str
    resource: str = ""
    object: msgspec.Raw = msgspec.Raw()
    probe: str = ""
    connection: str = ""
    status: int = 0
    seconds: float = 0.0
    error: str | None = None
    text: str = ""


_HEADER: Final = msgspec.json.Decoder(Header)
_LINE: Final = msgspec.json.Decoder(Line)


class Lines:
    """An open recording file: iterate once, over numbers (the header is 1) and lines. Use it as a context manager.

    Raises UnreadableError where the file cannot be opened, is no recording, or is broken before its last line.
    """

    def __init__(self, path: pathlib.Path) -> None:
        self.path = path
        self._number = 0
        self.truncated = ""
        """How the file was found cut short, if it was."""
        try:
            self._raw = path.open("rb")
        except OSError as error:
            raise errors.UnreadableError(f"{path}: {error.strerror}") from error
        packed = self._raw.peek(2)[:2] == _GZIP
        self._file: io.BufferedIOBase = gzip.GzipFile(fileobj=self._raw) if packed else self._raw
        try:
            self.header = self._read_header()
        except errors.UnreadableError:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
        self._raw.close()

    def __iter__(self) -> Iterator[tuple[int, Line]]:
        while text := self._read():
            try:
                line = _LINE.decode(text)
            except (ValueError, RecursionError) as error:
                if not text.endswith(b"\n"):
                    self.truncated = f"line {self._number} is cut off"
                    return
                raise self._unreadable(error) from error
            yield self._number, line

    def _read_header(self) -> Header:
        text = self._read()
        try:
            header = _HEADER.decode(text)
        except (ValueError, RecursionError) as error:
            raise errors.UnreadableError(f"{self.path}: line 1: not a recording: {error}") from error
        if header.recording != FORMAT:
            raise errors.UnreadableError(f"{self.path}: line 1: recording format {header.recording}, known is {FORMAT}")
        return header

    def _read(self) -> bytes:
        """The next line; empty at the end."""
        try:
            text = self._file.readline()
        except EOFError:
            self.truncated = f"the compressed data ends after line {self._number}"
            return b""
        except (OSError, zlib.error) as error:
            self._number += 1
            raise self._unreadable(error) from error
        if text:
            self._number += 1
        return text

    def _unreadable(self, error: Exception) -> errors.UnreadableError:
        return errors.UnreadableError(f"{self.path}: line {self._number}: not readable: {error}")
