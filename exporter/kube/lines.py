"""Whole lines out of a stream of chunks, however long they are and wherever the chunks are cut; up to a limit."""

Block = bytes | memoryview
"""One line or more, each but perhaps the last with its end. A view keeps the chunk it looks into: let go of it soon."""


class TooLong(Exception):
    """A line is longer than the limit; what the splitter holds is of no use any more."""


class Splitter:
    """Collects chunks and gives whole lines, copying only those that were cut.

    Holds at most one unfinished line, in pieces: a line of many chunks costs its length once. Raises TooLong as soon as
    a line is longer than `limit` bytes, whether it has ended or not.
    """

    def __init__(self, *, limit: int) -> None:
        self._limit = limit
        self._pieces: list[bytes] = []
        self._held = 0

    def feed(self, chunk: bytes) -> list[Block]:
        """The lines that this chunk completes, in order; the first of them alone, if it was cut."""
        last = chunk.rfind(b"\n") + 1
        first = chunk.find(b"\n") + 1 if last else len(chunk) + 1
        if self._held + first - 1 > self._limit or (len(chunk) > self._limit and _longest(chunk) > self._limit):
            raise TooLong(f"a line of more than {self._limit} bytes")
        if not last:
            self._hold(chunk)
            return []
        blocks: list[Block] = []
        if self._pieces:
            blocks.append(b"".join((*self._pieces, chunk[:first])))
            self._pieces, self._held = [], 0
        else:
            first = 0
        if first < last:
            blocks.append(memoryview(chunk)[first:last])
        self._hold(chunk[last:])
        return blocks

    def _hold(self, piece: bytes) -> None:
        if piece:
            self._pieces.append(piece)
            self._held += len(piece)


def each(block: Block) -> list[bytes]:
    """The lines of a block, one by one, without their ends; empty lines are left out."""
    return [line for line in bytes(block).split(b"\n") if line]


def _longest(chunk: bytes) -> int:
    return max(map(len, chunk.split(b"\n")))
