"""The image: linted always; built and started by `make image`, which sees to buildah and to a base image.

It is started as Kubernetes would: as its numeric user, on a root file system that cannot be written to.
"""

import asyncio
import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator

import aiohttp
import pytest

import exporter
from exporter import sim
from tests.conftest import REPOSITORY

BASE = "localhost/python:3.13-slim"
TAG = "localhost/kubevirt-upgrade-exporter:test"
ENVIRONMENT = os.environ | {"BUILDAH_ISOLATION": "chroot"}
PATIENCE = 30.0
"""Seconds until a test gives up; nothing here takes so long."""


def buildah(*arguments: str) -> str:
    done = subprocess.run(
        ["buildah", *arguments], env=ENVIRONMENT, cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout.strip()


def test_hadolint_finds_nothing() -> None:
    hadolint = pathlib.Path(sys.executable).parent / "hadolint"
    done = subprocess.run([hadolint, REPOSITORY / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_nothing_but_the_package_and_its_lock_goes_into_the_build() -> None:
    allowed = {line for line in (REPOSITORY / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    assert allowed == {"!LICENSE", "!README.md", "!exporter", "!pyproject.toml", "!requirements"}
    copied = re.findall(r"^COPY (?!--from)(.*) \S+$", (REPOSITORY / "Dockerfile").read_text(), flags=re.MULTILINE)
    assert {f"!{name.rstrip('/')}" for line in copied for name in line.split()} == allowed


def _missing() -> str:
    """What is not here that building needs; empty where all is."""
    if os.geteuid() != 0 or shutil.which("buildah") is None:
        return "not root, or no buildah"
    found = subprocess.run(["buildah", "images", BASE], env=ENVIRONMENT, capture_output=True, check=False)
    return f"no base image {BASE}" if found.returncode else ""


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    """The image, built anew; nothing of it stays behind."""
    if os.environ.get("IMAGE") != "wanted":
        pytest.skip("the image is not built: `make image` does that")
    if missing := _missing():
        pytest.fail(f"the image cannot be built: {missing}")
    certificates = "/etc/ssl/certs:/etc/ssl/certs:ro"  # of this machine, for the package index
    options = [f"--volume={certificates}", f"--build-arg=BASE={BASE}", "--build-arg=VERSION=v9.8.7", f"--tag={TAG}"]
    buildah("bud", "--quiet", *options, ".")
    try:
        yield TAG
    finally:
        buildah("rmi", TAG)


@pytest.fixture(scope="module")
def root(image: str) -> Iterator[pathlib.Path]:
    """The root file system of a container."""
    container = buildah("from", "--pull-never", image)
    try:
        yield pathlib.Path(buildah("mount", container))
    finally:
        buildah("rm", container)


def test_the_image_says_what_it_is_and_runs_as_nobody(image: str) -> None:
    config = json.loads(buildah("inspect", "--type=image", image))["OCIv1"]["config"]
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", config["User"])
    assert (config["Entrypoint"], config["Cmd"]) == (["kubevirt-upgrade-exporter"], ["run"])
    assert config["ExposedPorts"] == {"10388/tcp": {}}
    labels = {name.removeprefix("org.opencontainers.image."): text for name, text in config["Labels"].items()}
    assert labels["version"] == "v9.8.7"
    assert labels["licenses"] == "Apache-2.0"
    assert labels.keys() >= {"title", "description", "revision"}


def test_nothing_in_it_belongs_to_the_user_or_may_be_written_by_all(root: pathlib.Path) -> None:
    for path in (root / "opt" / "exporter").rglob("*"):
        status = path.lstat()
        assert status.st_uid == 0
        assert path.is_symlink() or not status.st_mode & 0o022


def inside(root: pathlib.Path, *arguments: str | pathlib.Path) -> list[str | pathlib.Path]:
    """The command that runs the image's program as Kubernetes would: as nobody, with a root that is read-only."""
    script = (
        'mount --bind "$0" "$0" && mount -o remount,ro,bind "$0" && mount --bind /proc "$0/proc" && '
        'exec chroot --userspec=65532:65532 "$0" /opt/exporter/bin/kubevirt-upgrade-exporter "$@"'
    )
    return ["unshare", "--mount", "sh", "-c", script, root, *arguments]


def test_the_image_holds_this_version(root: pathlib.Path) -> None:
    done = subprocess.run(inside(root, "--version"), capture_output=True, text=True, check=False)
    assert exporter.__version__ in done.stdout, done.stderr


@contextlib.asynccontextmanager
async def running(
    root: pathlib.Path, kubeconfig: pathlib.Path
) -> AsyncIterator[tuple[asyncio.subprocess.Process, int]]:
    """The daemon in the image, and its port."""
    shutil.copy(kubeconfig, root / "kubeconfig")
    (root / "kubeconfig").chmod(0o444)
    arguments = inside(root, "run", "--kubeconfig=/kubeconfig", "--listen=127.0.0.1:0", "--log-format=json")
    process = await asyncio.create_subprocess_exec(*arguments, stderr=asyncio.subprocess.PIPE)
    assert process.stderr is not None
    try:
        async with asyncio.timeout(PATIENCE):
            while line := await process.stderr.readline():
                sys.stderr.write(line.decode())
                if b'"listening"' in line:
                    yield process, json.loads(line)["port"]
                    return
        raise AssertionError("the daemon has ended")
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def test_it_watches_and_serves_on_a_root_that_is_read_only(root: pathlib.Path, tmp_path: pathlib.Path) -> None:
    simulation = sim.Simulation(sim.load("clean"))
    await simulation.start()
    try:
        kubeconfig = simulation.kubeconfig(tmp_path / "kubeconfig")
        async with running(root, kubeconfig) as (process, port), aiohttp.ClientSession() as http:
            async with asyncio.timeout(PATIENCE):
                while (await _get(http, port, "/readyz"))[0] != 200:  # noqa: ASYNC110 - it is another process
                    await asyncio.sleep(0.1)
            status, page = await _get(http, port, "/metrics")
            assert status == 200
            assert re.search(
                rf'^kubevirt_upgrade_exporter_build_info{{.*version="{exporter.__version__}"', page, re.MULTILINE
            )
            assert 'kubevirt_upgrade_exporter_resource_synced{resource="pods"} 1' in page
            process.terminate()
            async with asyncio.timeout(10):
                assert await process.wait() == 0
    finally:
        await simulation.stop()


async def _get(http: aiohttp.ClientSession, port: int, path: str) -> tuple[int, str]:
    async with http.get(f"http://127.0.0.1:{port}{path}") as answer:
        return answer.status, await answer.text()
