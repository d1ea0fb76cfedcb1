"""Write all generated files of this part: `python -m deploy.src`."""

import shutil
from pathlib import Path
from typing import Final

from deploy.src import chart, definition, docs, install

ROOT: Final = Path(__file__).parents[2]
CHART: Final = ROOT / "deploy" / "chart"
RULES: Final = ROOT / "deploy" / "prometheusrule.yaml"


def copies() -> dict[Path, Path]:
    """Files of the chart that are made elsewhere in the repository: copy → original."""
    files = CHART / "files"
    dashboards = sorted((ROOT / "dashboards").glob("*.json"))
    return {files / RULES.name: RULES} | {files / "dashboards" / path.name: path for path in dashboards}


def parts() -> dict[Path, str]:
    """The generated parts of the chart: path → text."""
    return {
        CHART / "crds" / "upgradereports.yaml": definition.text(),
        CHART / "templates" / "_rules.tpl": chart.rules_template(),
    }


def rendered() -> dict[Path, str]:
    """What is made of the chart as it lies on disk: path → text."""
    monitoring = {"serviceMonitor": {"enabled": True}, "prometheusRule": {"enabled": True}}
    return {
        ROOT / "deploy" / "install.yaml": install.text(
            CHART, values={}, heading="The exporter as the chart installs it by default, for kubectl apply -f."
        ),
        ROOT / "deploy" / "monitoring.yaml": install.text(
            CHART,
            values=monitoring,
            heading="What goes with it where the Prometheus Operator runs.",
            only=("ServiceMonitor", "PrometheusRule"),
        ),
    }


def texts() -> dict[Path, str]:
    """All generated files but the copies."""
    return parts() | rendered() | {ROOT / "docs" / "permissions.md": docs.permissions_page()}


def main() -> None:
    """Write them, the parts of the chart first."""
    shutil.rmtree(CHART / "files", ignore_errors=True)
    for copy, original in copies().items():
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(original, copy)
    for make in (parts, texts):
        for path, text in make().items():
            _write(path, text)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
