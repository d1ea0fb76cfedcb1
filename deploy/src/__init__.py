"""Makes the files of `deploy/` and `docs/` that must not drift: `python -m deploy.src`, called by `make generate`.

Each module makes the text of one kind of file; only `__main__` writes. Not part of the program, and not in its image.
"""
