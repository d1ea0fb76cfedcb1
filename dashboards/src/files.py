"""The dashboards as files."""

import json
from typing import Final

from grafana_foundation_sdk.cog import encoder

from dashboards.src import api, exporter, guests, objectives, upgrade

_FOLDER: Final = "dashboards"
_ALL: Final = (upgrade.dashboard, guests.dashboard, api.dashboard, objectives.dashboard, exporter.dashboard)


def texts() -> dict[str, str]:
    """The files by their paths in the repository. A dashboard is named as its uid is."""
    built = [made().build() for made in _ALL]
    return {
        f"{_FOLDER}/{dashboard.uid}.json": json.dumps(dashboard, cls=encoder.JSONEncoder, indent=1, sort_keys=True)
        + "\n"
        for dashboard in built
    }
