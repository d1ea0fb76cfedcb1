"""What waits for the fold to begin: all of it, in order, but for probe results of long ago."""

from exporter.journal.waiting import MOST, Waiting
from exporter.model import resources
from exporter.model.changes import Change, ProbeFinished, Sync, SyncChanged


def probe(at: float) -> ProbeFinished:
    return ProbeFinished(at=at, probe="version", connection="new", sent=at, seconds=0.1, reason="connect")


def sync(at: float) -> SyncChanged:
    return SyncChanged(at=at, resource=resources.VMS, state=Sync.FORBIDDEN)


def test_all_comes_out_in_order_and_once() -> None:
    waiting = Waiting()
    changes: list[Change] = [sync(1.0), probe(2.0), sync(3.0), probe(4.0)]
    for change in changes:
        waiting.add(change)
    assert waiting.release() == changes
    assert waiting.release() == []


def test_an_outage_of_days_keeps_what_matters_and_the_latest_results() -> None:
    """Otherwise a daemon that starts without an API would use ever more memory."""
    waiting = Waiting()
    waiting.add(sync(0.0))
    for second in range(1, 10 * MOST):
        waiting.add(probe(float(second)))
        assert len(waiting) <= MOST + 2
    waiting.add(sync(1e6))
    first, *results, last = waiting.release()
    assert (first, last) == (sync(0.0), sync(1e6))
    assert MOST / 2 <= len(results) <= MOST
    assert results == [probe(float(second)) for second in range(10 * MOST - len(results), 10 * MOST)]
