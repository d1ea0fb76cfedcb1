"""The whole program as one pure fold: changes in, samples and reports out.

change ─► tracker ─► session transitions ─► concerns ─► change ─► concerns
"""

from exporter.fold.engine import Fold, Source

__all__ = ["Fold", "Source"]
