"""House rules for the files of the repository: no mocks, no long module, a docstring each, no trace of a machine.

Each rule is a function of a text, and is shown to fail on a made-up one. What is looked for is written in such a way
that this file does not hold it.
"""

import ast
import re
import subprocess

import pytest

from tests.conftest import REPOSITORY

LONGEST_MODULE = 400
MOCKS = re.compile(r"\b(?:[M]agicMock|unittest\.[m]ock|unittest import [m]ock)\b")
MACHINE = re.compile(
    r"(?<![\w.:}-])/(?:[w]ork|[r]oot)(?![\w-])"  # folders
    r"|(?<![\w.}-])/(?:[h]ome|[U]sers|[t]mp)/\w"
    r"|\.[p]yenv\b"
    r"|\b(?:[p]ypi|[p]ythonhosted|[n]pmjs|[d]eb\.debian)\.(?:org|com)\b"  # where packages come from
)


def files(pattern: str) -> dict[str, str]:
    """The texts of all files that git knows or would take: path → text. What is not UTF-8 is no text."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", pattern],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    texts = {}
    for name in filter(None, listed.split("\0")):
        try:
            texts[name] = (REPOSITORY / name).read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue
    assert texts, f"no file matches {pattern}"
    return texts


def found(rule: re.Pattern[str], texts: dict[str, str]) -> list[str]:
    """Where the rule matches, as "path:line: what"."""
    return [
        f"{name}:{number}: {match[0]}"
        for name, text in texts.items()
        for number, line in enumerate(text.splitlines(), start=1)
        if (match := rule.search(line))
    ]


def has_docstring(text: str) -> bool:
    return bool(ast.get_docstring(ast.parse(text)))


def test_tests_use_no_mocks() -> None:
    assert found(MOCKS, files("tests/**.py")) == []


def test_no_file_names_a_machine_or_where_packages_come_from() -> None:
    assert found(MACHINE, files("*")) == []


def test_every_module_of_the_package_stays_short() -> None:
    lengths = {name: len(text.splitlines()) for name, text in files("exporter/**.py").items()}
    assert {name: length for name, length in lengths.items() if length > LONGEST_MODULE} == {}


def test_every_module_says_what_it_is_for() -> None:
    assert [name for name, text in files("*.py").items() if not has_docstring(text)] == []


@pytest.mark.parametrize("text", ["unittest.mo|ck", "from unittest import mo|ck", "Magic|Mock()"])
def test_a_mock_is_found(text: str) -> None:
    assert found(MOCKS, {"a": text.replace("|", "")})


@pytest.mark.parametrize(
    "text",
    [
        "cd /wo|rk/main",
        "HOME=/ro|ot",
        "'/tm|p/x'",
        "/ho|me/ann/x",
        ".py|env/shims",
        "https://py|pi.org/simple",
        "npm|js.org",
    ],
)
def test_a_trace_of_a_machine_is_found(text: str) -> None:
    assert found(MACHINE, {"a": text.replace("|", "")})


@pytest.mark.parametrize("text", ["a frame/work", "/workloads", "mountPath: /tmp", "/livez", ":root {", "../shared"])
def test_what_only_looks_like_a_trace_is_let_through(text: str) -> None:
    assert found(MACHINE, {"a": text}) == []


def test_a_module_without_a_docstring_is_found() -> None:
    assert not has_docstring("import os")
    assert has_docstring('"""What it is for."""')


def crooked(text: str) -> list[int]:
    """The lines of Markdown tables that have another number of cells than their table's head."""
    blocks = re.compile(r"^ *```.*?^ *```", re.MULTILINE | re.DOTALL)
    wrong, cells = [], 0
    for number, line in enumerate(blocks.sub(lambda block: "\n" * block[0].count("\n"), text).splitlines(), start=1):
        found = len(re.findall(r"(?<!\\)\|", line)) if line.startswith("|") else 0
        if found and cells and found != cells:
            wrong.append(number)
        cells = cells if found and cells else found
    return wrong


def test_tables_of_pages_have_a_cell_for_each_column() -> None:
    """Renderers drop what is beyond the last column, without a word."""
    assert {name: lines for name, text in files("*.md").items() if (lines := crooked(text))} == {}


def test_a_crooked_table_is_found() -> None:
    assert crooked("| a | b |\n|---|---|\n| 1 | 2 \\| 3 |\n| | 1 | 2 |\n\n| c |\n|---|\n| 1 |\n") == [4]
