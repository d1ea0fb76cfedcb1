"""Write the generated files: `python -m dashboards.src`."""

import pathlib

from dashboards.src import files

for name, text in files.texts().items():
    path = pathlib.Path(__file__).parents[2] / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
