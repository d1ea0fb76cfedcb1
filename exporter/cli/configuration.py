"""The YAML file of `--config`: a flat mapping of settings, read with the place of each for messages.

Values stay text here: they are converted like the texts of flags and variables, so all three accept the same.
"""

import pathlib
from typing import NamedTuple

import yaml


class Entry(NamedTuple):
    """One key of the file; a sequence of values is for settings that may be given several times."""

    key: str
    value: str | list[str]
    place: str
    """`file:line: key`, for messages."""


def read(path: pathlib.Path) -> tuple[list[Entry], list[str]]:
    """The entries, and what is wrong, each with its place. It never raises: mistakes are told all together."""
    try:
        text = path.read_text(encoding="utf-8")
        document = yaml.compose(text, Loader=yaml.SafeLoader)
    except OSError as error:
        return [], [f"{path}: {error.strerror}"]
    except UnicodeDecodeError:
        return [], [f"{path}: not UTF-8 text"]
    except yaml.YAMLError as error:
        return [], [f"{path}{_where(error)}: not YAML: {_problem(error)}"]
    if document is None:  # an empty file, or only comments
        return [], []
    if not isinstance(document, yaml.MappingNode):
        return [], [f"{path}:{document.start_mark.line + 1}: not a mapping of settings to values"]
    return _entries(path, document)


def _entries(path: pathlib.Path, document: yaml.MappingNode) -> tuple[list[Entry], list[str]]:
    entries: dict[str, Entry] = {}
    mistakes: list[str] = []
    for key_node, value_node in document.value:
        place = f"{path}:{key_node.start_mark.line + 1}: {key_node.value}"
        value = _value(value_node)
        if value is None:
            mistakes.append(f"{place}: expected one value or a list of values")
        elif key_node.value in entries:
            mistakes.append(f"{place}: given twice")
        else:
            entries[key_node.value] = Entry(key_node.value, value, place)
    return list(entries.values()), mistakes


def _value(node: yaml.Node) -> str | list[str] | None:
    if isinstance(node, yaml.SequenceNode):
        values = [_scalar(item) for item in node.value]
        return [value for value in values if value is not None] if None not in values else None
    return _scalar(node)


def _scalar(node: yaml.Node) -> str | None:
    if not isinstance(node, yaml.ScalarNode) or node.tag == "tag:yaml.org,2002:null":
        return None
    return str(node.value)


def _where(error: yaml.YAMLError) -> str:
    mark = error.problem_mark if isinstance(error, yaml.MarkedYAMLError) else None
    return f":{mark.line + 1}" if mark else ""


def _problem(error: yaml.YAMLError) -> str:
    return (
        str(error.problem) if isinstance(error, yaml.MarkedYAMLError) and error.problem else str(error).splitlines()[0]
    )
