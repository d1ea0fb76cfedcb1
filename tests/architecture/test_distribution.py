"""Tests that run in several processes start one real API server, not one each."""

from xdist.scheduler import LoadFileScheduling

from tests.distribution import FIXTURE, group


def test_files_that_use_the_real_server_share_a_process() -> None:
    asks_itself = group("tests/end_to_end/test_restart.py::test_name")
    asks_beside = group("tests/contract/test_reflector.py::test_name[real]")
    assert asks_itself == asks_beside == FIXTURE


def test_all_others_share_one_with_their_file() -> None:
    assert group("tests/sim/test_rules.py::test_name[one::two]") == "tests/sim/test_rules.py"


def test_xdist_still_asks_for_groups_where_we_answer() -> None:
    """Otherwise it would go its own way, and nobody would notice."""
    assert "_split_scope" in vars(LoadFileScheduling)
