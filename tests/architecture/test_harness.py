"""What tests/conftest.py promises: each promise is tried in a small test suite of its own."""

import pathlib

import pytest

from tests import conftest

ASYNC = "import asyncio\n\nasync def test_it():\n"


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A test suite with our conftest.py and nothing else, in a folder that knows no recordings."""
    monkeypatch.delenv("UPGRADE_RECORDINGS", raising=False)
    monkeypatch.delenv("KUBEBUILDER_ASSETS", raising=False)
    folder = pytester.mkdir("tests")
    (folder / "conftest.py").write_text(pathlib.Path(conftest.__file__).read_text())
    return pytester


def run(suite: pytest.Pytester, test: str, *options: str) -> pytest.RunResult:
    (suite.path / "tests" / "test_it.py").write_text(test)
    return suite.runpytest_inprocess("tests", "-ra", "-p", "no:cacheprovider", *options)


def test_an_async_test_runs_with_its_fixtures(suite: pytest.Pytester) -> None:
    result = run(suite, "async def test_it(tmp_path):\n    assert tmp_path.is_dir()")
    result.assert_outcomes(passed=1)


def test_a_failing_async_test_fails(suite: pytest.Pytester) -> None:
    run(suite, ASYNC + "    assert not asyncio.get_running_loop()").assert_outcomes(failed=1)


def test_a_task_left_behind_fails_the_test(suite: pytest.Pytester) -> None:
    result = run(suite, ASYNC + "    task = asyncio.create_task(asyncio.sleep(60), name='forgotten')")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["tasks left behind:*", "*forgotten*"])


def test_an_exception_that_nobody_saw_fails_the_test(suite: pytest.Pytester) -> None:
    result = run(suite, ASYNC + "    asyncio.get_running_loop().call_soon(lambda: 1 / 0)")
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*ZeroDivisionError*"])


GOLDEN = "def test_it(golden):\n    golden('page.txt', 'one\\ntwo\\n')"


def test_a_missing_golden_file_fails_and_is_not_written(suite: pytest.Pytester) -> None:
    result = run(suite, GOLDEN)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*page.txt is missing*--update-golden*"])
    assert not (suite.path / "tests" / "golden").exists()


def test_a_difference_from_a_golden_file_is_shown(suite: pytest.Pytester) -> None:
    run(suite, GOLDEN, "--update-golden").assert_outcomes(passed=1)
    run(suite, GOLDEN).assert_outcomes(passed=1)
    result = run(suite, GOLDEN.replace("two", "three"))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["-two", "+three"])


@pytest.mark.parametrize(
    ("fixture", "variable"), [("recordings", "UPGRADE_RECORDINGS"), ("kube_apiserver_assets", "KUBEBUILDER_ASSETS")]
)
def test_what_is_missing_is_named_and_a_wrong_place_is_no_skip(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, fixture: str, variable: str
) -> None:
    test = f"def test_it({fixture}):\n    pass"
    result = run(suite, test)
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines([f"SKIPPED*{variable}*"])
    monkeypatch.setenv(variable, str(suite.path / "nowhere"))
    run(suite, test).assert_outcomes(errors=1)
