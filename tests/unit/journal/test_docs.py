"""docs/reports.md tells all there is to tell, and nothing that is not there."""

import re

from exporter import settings
from exporter.journal import election, objects, source, waiting
from exporter.model.families import PREFIX
from tests.conftest import REPOSITORY

PAGE = (REPOSITORY / "docs" / "reports.md").read_text()


def test_each_metric_is_explained_and_no_other() -> None:
    names = {family.exposed_name.removeprefix(f"{PREFIX}exporter_") for family in source.FAMILIES}
    assert set(re.findall(r"`(journal_\w+)`", PAGE)) == names


def test_each_standing_is_explained() -> None:
    assert {standing.value for standing in source.Standing} - set(re.findall(r"`(\w+)`", PAGE)) == {"starting"}


def test_names_are_those_of_the_program() -> None:
    assert f"`kubectl annotate upgradereport NAME {objects.CLOSE}=" in PAGE
    assert f"`{election.NAME}`" in PAGE
    assert f"every {settings.Journal().interval:g} s (`--journal-interval`)" in PAGE
    assert f"The newest {settings.Settings().reports} are kept (`--reports`)" in PAGE
    assert f"at least the latest {waiting.MOST // 2:,} results" in PAGE
    lease = settings.Journal().lease_duration
    assert f"within {lease * (1 + 1 / election.TRIES):g} s" in PAGE
