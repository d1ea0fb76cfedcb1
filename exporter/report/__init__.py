"""From a report to its SLOs, verdict, findings and other forms. Pure."""

from exporter.report.metrics import FAMILIES, samples
from exporter.report.verdict import judged

__all__ = ["FAMILIES", "judged", "samples"]
