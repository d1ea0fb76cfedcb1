"""Writes the lines of a recording, compressed, so that the file is whole up to the last flush whatever happens to us.

Every flush ends a block of the compressed stream on disk; only the stream's trailer is missing after a crash, which
readers of recordings expect. The header's `ended` is null: who writes cannot know it.
"""

import contextlib
import datetime as dt
import math
import pathlib
import zlib
from types import TracebackType
from typing import Final, Self

import msgspec

from exporter import errors
from exporter.recording.lines import FORMAT

_GZIP: Final = 31
"""Window bits that make zlib write gzip."""
_LEVEL: Final = 6


class Line(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One line; which fields it has depends on its type."""

    at: str
    type: str
    resource: str = ""
    object: msgspec.Raw | msgspec.UnsetType = msgspec.UNSET
    resourceVersion: str = ""  # noqa: N815 - as it is in the file
    probe: str = ""
    connection: str = ""
    status: int | msgspec.UnsetType = msgspec.UNSET
    seconds: float | msgspec.UnsetType = msgspec.UNSET
    error: str = ""
    text: str = ""


class Writer:
    """A recording that is being written. Use it as a context manager."""

    def __init__(self, path: pathlib.Path, *, started: float, limit: float = math.inf) -> None:
        """A file that is as large as `limit`, in bytes (or over it by one line), takes nothing but marks any more.

        Raises UsageError: the file is there already, or cannot be made.
        """
        try:
            self._file = path.open("xb")
        except OSError as error:
            raise errors.UsageError(f"{path}: {error.strerror}") from error
        self._limit = limit
        self._packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP)
        self._waiting = 0
        """Bytes of text that are not yet on disk."""
        self.lines = 0
        self.size = 0
        """Bytes in the file."""
        self.trouble = ""
        """Why nothing can be written any more, such as a full disk."""
        self._pack(msgspec.json.encode({"recording": FORMAT, "started": moment(started), "ended": None}))
        self.flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._put(self._packer.flush(zlib.Z_FINISH))
        with contextlib.suppress(OSError):
            self._file.close()

    @property
    def full(self) -> bool:
        """The limit is reached."""
        return self.size >= self._limit

    def write(self, line: Line) -> None:
        """Take a line; it is on disk after the next flush. It does not raise: see `full` and `trouble`."""
        if self.full and line.type != "MARK":
            return
        self._pack(msgspec.json.encode(line))
        self.lines += 1
        if self.size + self._waiting >= self._limit:
            self.flush()  # only so it is known how large that has become

    def flush(self) -> None:
        """Bring everything taken so far to disk, in a form that can be read by itself."""
        if self._waiting:
            self._put(self._packer.flush(zlib.Z_SYNC_FLUSH))
            self._waiting = 0
            try:
                self._file.flush()
            except OSError as error:
                self.trouble = error.strerror or str(error)

    def _pack(self, text: bytes) -> None:
        self._put(self._packer.compress(text + b"\n"))
        self._waiting += len(text)

    def _put(self, packed: bytes) -> None:
        try:
            self._file.write(packed)
        except OSError as error:
            self.trouble = error.strerror or str(error)
        else:
            self.size += len(packed)


def moment(at: float) -> str:
    """Unix seconds as recordings write them: UTC, microseconds."""
    return dt.datetime.fromtimestamp(at, tz=dt.UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
