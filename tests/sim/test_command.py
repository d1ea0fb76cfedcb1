"""`python -m exporter.sim`, for people."""

import gzip
import json
import pathlib
import subprocess
import sys
import urllib.request

import pytest


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "exporter.sim", *arguments]


def test_a_recording_is_written_at_once(tmp_path: pathlib.Path) -> None:
    file = tmp_path / "out.jsonl.gz"
    subprocess.run(command("storage-blocked", "--guests", "4", "--record", str(file)), check=True, timeout=60)
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        header = json.loads(next(lines))
        kinds = {json.loads(line)["type"] for line in lines}
    assert header["recording"] == 1
    assert {"LISTING", "MODIFIED", "MARK"} <= kinds


def test_a_scenario_that_does_not_exist_is_an_error_of_use() -> None:
    done = subprocess.run(command("cleen"), capture_output=True, check=False, timeout=60, text=True)
    assert done.returncode == 3
    assert "no such scenario; there are: clean" in done.stderr


@pytest.mark.parametrize("tls", [False, True])
def test_a_live_run_prints_its_address_and_serves(tmp_path: pathlib.Path, *, tls: bool) -> None:
    config = tmp_path / "kubeconfig"
    arguments = command("clean", "--guests", "4", "--kubeconfig", str(config), *(["--tls"] if tls else []))
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        url = running.stdout.readline().strip()
        try:
            assert url.startswith("https://" if tls else "http://")
            assert url in config.read_text(encoding="utf-8")
            if not tls:
                with urllib.request.urlopen(f"{url}/apis/kubevirt.io/v1/virtualmachines", timeout=10) as answer:  # noqa: S310 - its own address
                    assert len(json.load(answer)["items"]) == 4
        finally:
            running.terminate()
