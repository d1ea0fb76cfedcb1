"""What a stalled component waits for."""

from exporter.model.objects import Pod
from exporter.tracker import obstacles
from tests import builders as b

TARGET = b.id_of(b.NEW)


def new(name: str, *, ready: bool = False, **fields: object) -> Pod:
    return b.pod(b.HANDLER, name, b.NEW, ready=ready, **fields)


def test_new_pods_that_are_not_ready_are_named_by_their_nodes() -> None:
    pods = [new("a", ready=True), new("b", waiting="ImagePullBackOff"), new("c"), b.pod(b.HANDLER, "d", ready=False)]
    assert obstacles.words(pods, TARGET) == "not ready on node-b (ImagePullBackOff), on node-c"


def test_pods_that_go_or_are_on_no_node() -> None:
    assert obstacles.words([new("a", deleted=1.0), new("b", phase="Failed")], TARGET) == ""
    assert obstacles.words([new("a", node="", phase="Pending")], TARGET) == "not ready on no node yet"


def test_of_many_three_are_named() -> None:
    said = obstacles.words([new(name) for name in "abcde"], TARGET)
    assert said == "not ready on node-a, on node-b, on node-c and 2 more"
