"""The tests. Only this folder is a package, so that `tests` is never somebody else's."""
