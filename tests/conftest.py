"""What all tests share: async tests, golden files, and where recordings and a real API server are found.

**Async tests** are plain `async def test_...`; no plugin and no marker is needed. Each runs in an event loop of its own
and fails if it leaves a task behind or if an exception reached nobody. There are no async fixtures: a test says
`async with` what it needs, so that what it starts also ends in its own loop. A Hypothesis test is not async: it calls
`asyncio.run` where it must.

Not here: anything about the product. Fakes and builders live beside the tests that use them.
"""

import asyncio
import difflib
import inspect
import os
import pathlib
from collections.abc import Awaitable, Iterator
from typing import Any

import hypothesis
import pytest

from tests.distribution import ByServer
from tests.real_apiserver import RealApiServer
from tests.stories import Stories

REPOSITORY = pathlib.Path(__file__).parents[1]
GOLDEN = REPOSITORY / "tests" / "golden"
DIFF_LINES = 200

# No deadlines: timing never decides a test. CI tries the same examples every time.
hypothesis.settings.register_profile(
    "project",
    deadline=None,
    derandomize="CI" in os.environ,
    print_blob=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("project")


# Whom the world trusts is nothing to us, and takes 40 ms to read for each client and each program that is started.
os.environ["SSL_CERT_FILE"] = os.devnull


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--update-golden", action="store_true", help="write tests/golden anew; review the diff")


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> ByServer | None:
    """For `--dist=loadfile`."""
    return ByServer(config, log) if config.getoption("dist") == "loadfile" else None


# --- async tests ---


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Run a coroutine function in a fresh event loop; leave all other tests to pytest."""
    if not inspect.iscoroutinefunction(pyfuncitem.obj):
        return None
    arguments = {name: pyfuncitem.funcargs[name] for name in inspect.signature(pyfuncitem.obj).parameters}
    lost: list[str] = []
    with asyncio.Runner() as runner:
        runner.get_loop().set_exception_handler(lambda _, context: lost.append(_describe(context)))
        runner.run(_run_without_stray_tasks(pyfuncitem.obj(**arguments)))
    if lost:
        pytest.fail("exceptions that reached nobody:\n" + "\n".join(lost), pytrace=False)
    return True


async def _run_without_stray_tasks(test: Awaitable[None]) -> None:
    await test
    for _ in range(3):  # what was cancelled or is done already may end
        await asyncio.sleep(0)
    stray = asyncio.all_tasks() - {asyncio.current_task()}
    if stray:
        pytest.fail("tasks left behind:\n" + "\n".join(sorted(map(repr, stray))), pytrace=False)


def _describe(context: dict[str, Any]) -> str:
    return f"{context.get('message')}: {context.get('exception')!r}"


# --- golden files ---


class Golden:
    """Compares texts with the files of tests/golden, or writes these under `--update-golden`."""

    def __init__(self, *, update: bool) -> None:
        self._update = update

    def __call__(self, name: str, text: str) -> None:
        """Fail unless `text` is exactly what tests/golden/`name` holds. A missing file is a failure, too."""
        path = GOLDEN / name
        if self._update:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8", newline="")
            return
        if not path.exists():
            pytest.fail(f"tests/golden/{name} is missing; write it with --update-golden and review it", pytrace=False)
        expected = path.read_bytes().decode()
        if text == expected:
            return
        diff = list(
            difflib.unified_diff(
                expected.splitlines(), text.splitlines(), f"tests/golden/{name}", "what the test got", lineterm=""
            )
        )
        if len(diff) > DIFF_LINES:
            diff[DIFF_LINES:] = [f"... and {len(diff) - DIFF_LINES} lines more"]
        pytest.fail("\n".join(diff or ["only the line ends differ"]), pytrace=False)


@pytest.fixture(scope="session")
def golden(pytestconfig: pytest.Config) -> Golden:
    return Golden(update=pytestconfig.getoption("--update-golden"))


# --- told once a test run ---


@pytest.fixture(scope="session")
def stories(tmp_path_factory: pytest.TempPathFactory) -> Stories:
    """The simulator's scenarios as recordings and as pages."""
    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "stories"
    folder.mkdir(exist_ok=True)
    return Stories(folder)


# --- what is not in this repository ---


@pytest.fixture(scope="session")
def recordings() -> pathlib.Path:
    """The folder with recordings of real upgrades (`*.jsonl.gz`): UPGRADE_RECORDINGS, or beside this repository."""
    named = os.environ.get("UPGRADE_RECORDINGS")
    folder = pathlib.Path(named) if named else REPOSITORY.parent / "shared" / "recordings"
    if folder.is_dir():
        return folder
    if named:
        pytest.fail(f"UPGRADE_RECORDINGS={named} is not a folder", pytrace=False)
    pytest.skip("no recordings: UPGRADE_RECORDINGS names no folder, and there is no ../shared/recordings")


@pytest.fixture(scope="session")
def kube_apiserver_assets() -> pathlib.Path:
    """The folder with `kube-apiserver` and `etcd`, as envtest names it: KUBEBUILDER_ASSETS."""
    named = os.environ.get("KUBEBUILDER_ASSETS")
    if not named:
        pytest.skip("no real API server: KUBEBUILDER_ASSETS names no folder with kube-apiserver and etcd")
    folder = pathlib.Path(named)
    missing = [program for program in ("kube-apiserver", "etcd") if not os.access(folder / program, os.X_OK)]
    if missing:
        pytest.fail(f"KUBEBUILDER_ASSETS={named} does not hold {' and '.join(missing)}", pytrace=False)
    return folder


@pytest.fixture(scope="session")
def real_apiserver(
    kube_apiserver_assets: pathlib.Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[RealApiServer]:
    """A kube-apiserver of our own, for all tests of this run."""
    with RealApiServer(kube_apiserver_assets, tmp_path_factory.mktemp("apiserver"), users=("contract-user",)) as server:
        yield server
