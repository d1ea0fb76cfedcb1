"""Grafana's own types as JSON Schemas: made once with npm, kept in the user's cache, never in this repository."""

import json
import os
import pathlib
import shutil
import subprocess
import tempfile
from typing import Any

import pytest

PACKAGES = ("@grafana/schema@12.4.10", "ts-json-schema-generator@2.3.0", "typescript@5.9.3")
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "kubevirt-upgrade-exporter"
KINDS = {
    "stat": "Stat", "gauge": "Gauge", "bargauge": "BarGauge", "table": "Table", "timeseries": "TimeSeries",
    "state-timeline": "StateTimeline",
}  # fmt: skip
"""Types of panels, and what Grafana's files call them."""
_FIELDS = {"table", "timeseries", "state-timeline"}
"""Types with options for each field."""
_RAW = "@grafana/schema/dist/esm/raw"
_PATIENCE = 90


def schemas() -> dict[str, Any]:
    """Of the dashboard, and of each type of panel its `options` and `custom`. Whoever cannot make them is skipped."""
    path = CACHE / f"grafana-{'-'.join(package.rpartition('@')[2] for package in PACKAGES)}.json"
    if not path.exists():
        made = _made()
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(made))
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def _made() -> dict[str, Any]:
    if shutil.which("npm") is None or shutil.which("npx") is None:
        pytest.skip("no npm to make Grafana's schemas with")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "package.json").write_text("{}")
        _run(folder, "npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", *PACKAGES)
        compiler = {"moduleResolution": "bundler", "module": "esnext", "target": "esnext", "skipLibCheck": True}
        (folder / "tsconfig.json").write_text(json.dumps({"compilerOptions": compiler}))
        return {
            "dashboard": _schema(
                folder, "dashboard/x/Dashboard_types.gen", "dashboard: all.Dashboard; panel: all.Panel"
            ),
            **{
                kind: _schema(
                    folder,
                    f"composable/{kind.replace('-', '')}/panelcfg/x/{name}PanelCfg_types.gen",
                    "options: all.Options" + ("; custom: all.FieldConfig" if kind in _FIELDS else ""),
                )
                for kind, name in KINDS.items()
            },
        }


def _schema(folder: pathlib.Path, module: str, fields: str) -> dict[str, Any]:
    (folder / "wanted.ts").write_text(
        f"import type * as all from '{_RAW}/{module}';\nexport interface Wanted {{ {fields} }}\n"
    )
    arguments = ("-p", "wanted.ts", "-t", "Wanted", "-f", "tsconfig.json", "--no-type-check", "-o", "schema.json")
    _run(folder, "npx", "--no-install", "ts-json-schema-generator", *arguments)
    made: dict[str, Any] = json.loads((folder / "schema.json").read_text())
    return made


def _run(folder: pathlib.Path, *command: str) -> None:
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=_PATIENCE)
    except subprocess.TimeoutExpired:
        pytest.skip(f"{command[0]} takes too long: is there a way to the registry of npm?")
    if done.returncode:
        pytest.skip(f"{' '.join(command[:3])} exits {done.returncode}: {done.stderr[-500:]}")
