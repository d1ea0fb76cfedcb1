"""Lines out of a stream of chunks, however long they are and wherever the chunks are cut; up to a limit."""


class TooLong(Exception):
    """A line is longer than the limit; what the splitter holds is of no use any more."""


class Splitter:
    """Collects chunks and gives whole lines, without their ends.

    Holds at most one unfinished line, in pieces: a line of many chunks costs its length once. Raises TooLong as soon as
    a line is longer than `limit` bytes, whether it has ended or not.
    """

    def __init__(self, *, limit: int) -> None:
        self._limit = limit
        self._pieces: list[bytes] = []
        self._held = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that this chunk completes; empty lines are left out."""
        first, *rest = chunk.split(b"\n")
        self._held += len(first)
        if self._held > self._limit:
            raise TooLong(f"a line of more than {self._limit} bytes")
        self._pieces.append(first)
        if not rest:
            return []
        whole = [b"".join(self._pieces), *rest[:-1]]
        last = rest[-1]
        self._pieces, self._held = [last], len(last)
        if len(chunk) > self._limit and max(map(len, rest)) > self._limit:
            raise TooLong(f"a line of more than {self._limit} bytes")
        return [line for line in whole if line]
