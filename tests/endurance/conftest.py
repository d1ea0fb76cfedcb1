"""How often, and at which moments, daemons are killed."""

import pytest

pytest.register_assert_rewrite("tests.unit.journal.comparing")


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("endurance")
    group.addoption("--kills", type=int, default=17, help="of each story on each API server")
    group.addoption("--seed", default="1", help="of the moments of kills")
    group.addoption("--round", type=int, help="only this one")
