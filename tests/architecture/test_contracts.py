"""The import rules that lint-imports does not check: what the pure core may use, and who may use which library.

The layers are in pyproject.toml. The rules here may speak of modules that do not exist yet, which lint-imports refuses.
Each rule is a function of an import graph; made-up graphs show that it can fail.
"""

import ast

import grimp
import pytest

from tests.conftest import REPOSITORY

PURE = ("exporter.model", "exporter.tracker", "exporter.concerns", "exporter.fold", "exporter.report")
MAY_BE_USED_BY_PURE = (*PURE, "exporter.settings", "exporter.errors")
IMPURE = {
    "aiohttp",
    "asyncio",
    "concurrent",
    "http",
    "kubernetes",
    "logging",
    "multiprocessing",
    "os",
    "pathlib",
    "prometheus_client",
    "random",
    "secrets",
    "select",
    "signal",
    "socket",
    "ssl",
    "subprocess",
    "threading",
    "time",
    "urllib",
    "uuid",
    "yaml",
}
ONLY_IN = {"kubernetes": "exporter.kube", "prometheus_client": "exporter.exposition"}
SHARED_BY_CONCERNS = "exporter.concerns.base"


def within(module: str, package: str) -> bool:
    return module == package or module.startswith(f"{package}.")


def breaches(graph: grimp.ImportGraph) -> set[str]:
    """The imports that break a rule, each as "importer -> imported"."""
    return {
        f"{importer} -> {imported}"
        for importer in graph.modules
        if within(importer, "exporter")
        for imported in graph.find_modules_directly_imported_by(importer)
        if not (
            _core_is_pure(importer, imported)
            and _libraries_have_one_place(importer, imported)
            and _concerns_are_strangers(importer, imported)
            and _simulator_shares_nothing(importer, imported)
        )
    }


def _core_is_pure(importer: str, imported: str) -> bool:
    if not any(within(importer, package) for package in PURE):
        return True
    if within(imported, "exporter"):
        return any(within(imported, package) for package in MAY_BE_USED_BY_PURE)
    return imported not in IMPURE


def _libraries_have_one_place(importer: str, imported: str) -> bool:
    return imported not in ONLY_IN or within(importer, ONLY_IN[imported])


def _concerns_are_strangers(importer: str, imported: str) -> bool:
    """`exporter.concerns` itself lists them all; a concern knows itself and what all share."""
    package = "exporter.concerns."
    if not (importer.startswith(package) and imported.startswith(package)):
        return True
    return within(imported, SHARED_BY_CONCERNS) or importer.split(".")[2] == imported.split(".")[2]


def _simulator_shares_nothing(importer: str, imported: str) -> bool:
    return not within(importer, "exporter.sim") or not within(imported, "exporter") or within(imported, "exporter.sim")


@pytest.fixture(scope="module")
def graph() -> grimp.ImportGraph:
    return grimp.build_graph("exporter", include_external_packages=True, cache_dir=None)


def test_no_import_breaks_a_rule(graph: grimp.ImportGraph) -> None:
    assert breaches(graph) == set()


def test_the_graph_holds_this_package_and_its_libraries(graph: grimp.ImportGraph) -> None:
    assert "exporter" in graph.modules
    assert "msgspec" in graph.modules


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("exporter.model.changes", "time"),
        ("exporter.tracker", "logging"),
        ("exporter.concerns.rollout", "asyncio"),
        ("exporter.fold", "exporter.kube.reflector"),
        ("exporter.report.slos", "prometheus_client"),
        ("exporter.web", "kubernetes"),
        ("exporter.web.pages", "prometheus_client"),
        ("exporter.concerns.rollout", "exporter.concerns.session"),
        ("exporter.concerns.base", "exporter.concerns.session"),
        ("exporter.sim.server", "exporter.model"),
    ],
)
def test_a_wrong_import_is_found(importer: str, imported: str) -> None:
    assert breaches(_graph_with(importer, imported)) == {f"{importer} -> {imported}"}


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("exporter.concerns.rollout", "msgspec"),
        ("exporter.concerns.rollout", "exporter.concerns.base"),
        ("exporter.concerns", "exporter.concerns.session"),
        ("exporter.fold", "exporter.errors"),
        ("exporter.kube.client", "kubernetes"),
        ("exporter.exposition.registry", "prometheus_client"),
        ("exporter.sim.server", "exporter.sim.rules"),
        ("exporter.app", "exporter.kube"),
    ],
)
def test_a_right_import_is_let_through(importer: str, imported: str) -> None:
    assert breaches(_graph_with(importer, imported)) == set()


def _graph_with(importer: str, imported: str) -> grimp.ImportGraph:
    graph = grimp.ImportGraph()
    graph.add_module(importer)
    graph.add_module(imported, is_squashed=not imported.startswith("exporter"))
    graph.add_import(importer=importer, imported=imported)
    return graph


# --- the clock needs no import of its own ---


def clock_reads(source: str) -> list[str]:
    """Where a source text asks `datetime` or `date` for the present time, as "line: call"."""
    return [
        f"{node.lineno}: {ast.unparse(node)}"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Attribute)
        and node.attr in {"now", "utcnow", "today"}
        and ast.unparse(node.value).split(".")[-1] in {"datetime", "date"}
    ]


def test_the_core_reads_no_clock() -> None:
    core = [
        path
        for path in (REPOSITORY / "exporter").rglob("*.py")
        for module in [".".join(path.relative_to(REPOSITORY).with_suffix("").parts)]
        if any(within(module, package) for package in PURE)
    ]
    assert core
    assert {path.name: reads for path in core if (reads := clock_reads(path.read_text()))} == {}


def test_reading_the_clock_is_found() -> None:
    assert clock_reads("import datetime\nat = datetime.datetime.now(tz=datetime.UTC)") == ["2: datetime.datetime.now"]
    assert clock_reads("from datetime import date\ndate.today") == ["2: date.today"]
    assert clock_reads("self.now(), view.now, concern.samples(now)") == []
