"""Real upgrades, as recorded, through `replay --output openmetrics` into a real Prometheus: what would have alerted."""

import pathlib
import sys

import pytest

from tests.end_to_end import backfill, monitoring
from tests.end_to_end.alerted import IN_PROGRESS, Alerted
from tests.end_to_end.backfill import Pages


@pytest.mark.parametrize(
    ("recording", "expected"),
    [
        ("upgrade-1.3.0-1.4.0", {IN_PROGRESS}),
        ("upgrade-1.2.0-1.3.0-1.4.0-staged", {IN_PROGRESS}),
        (
            "upgrade-1.3.0-1.4.0-stuck-handler",
            {IN_PROGRESS, Alerted("KubeVirtUpgradeRolloutStalled", "warning", "virt-handler")},
        ),
    ],
)
async def test_a_recorded_upgrade_raises_exactly_these_alerts(
    recording: str, expected: set[Alerted], recordings: pathlib.Path, tmp_path: pathlib.Path
) -> None:
    text = await monitoring.ran(
        sys.executable, "-m", "exporter", "replay", recordings / f"{recording}.jsonl.gz",
        "--output", "openmetrics", f"--step={backfill.STEP}",
    )  # fmt: skip
    assert await backfill.alerted(tmp_path, [Pages(text)]) == {"": expected}
