"""Talking to Prometheus: what it says, who we are, and a clear message for everything that is not Prometheus."""

import pathlib
import socket
import ssl

import pytest
import trustme

from exporter import cli, errors
from exporter.verify.prometheus import Prometheus, QueryRefused, Source
from tests.unit.verify.serving import Served, document, says

VECTOR = [{"metric": {"a": "b"}, "value": [12.5, "3"]}]


async def test_an_instant_query() -> None:
    with Served(says(document(VECTOR))) as server:
        async with Prometheus(Source(url=f"{server.url}/prefix/")) as prometheus:
            answer = await prometheus.instant("up", at=12.5)
    [series] = answer.series
    assert (series.labels, series.points, series.value, answer.warnings) == ({"a": "b"}, [(12.5, 3.0)], 3.0, ())
    [(path, query, _)] = server.requests
    assert (path, query) == ("/prefix/api/v1/query", {"query": "up", "time": "12.500"})


async def test_a_range() -> None:
    matrix = [{"metric": {}, "values": [[1, "2"], [2, "NaN"]]}]
    with Served(says(document(matrix, kind="matrix", warnings=["store 3 is away"]))) as server:
        async with Prometheus(Source(url=server.url)) as prometheus:
            answer = await prometheus.over("up", start=1, end=2, step=1)
    assert answer.series[0].points[0] == (1.0, 2.0)
    assert answer.warnings == ("store 3 is away",)
    assert server.requests[0][1] == {"query": "up", "start": "1.000", "end": "2.000", "step": "1.000"}


async def test_a_scalar() -> None:
    body = '{"status": "success", "data": {"resultType": "scalar", "result": [1.5, "7"]}}'
    with Served(says(body)) as server:
        async with Prometheus(Source(url=server.url)) as prometheus:
            assert (await prometheus.instant("7", at=0)).series[0].value == 7.0


async def test_who_we_are() -> None:
    with Served(says(document([]))) as server:
        async with Prometheus(Source(url=server.url, tenant="team-a", token="secret")) as prometheus:
            await prometheus.instant("up", at=0)
    headers = server.requests[0][2]
    assert headers["X-Scope-OrgID"] == "team-a"
    assert headers["Authorization"] == "Bearer secret"
    assert headers["User-Agent"].startswith("kubevirt-upgrade-exporter/")


async def test_a_query_that_is_refused_does_not_end_the_rest() -> None:
    body = '{"status": "error", "errorType": "execution", "error": "query processing would load too many samples"}'
    with Served(says(body, status=422)) as server:
        async with Prometheus(Source(url=server.url)) as prometheus:
            with pytest.raises(QueryRefused, match="HTTP 422: query processing would load too many samples"):
                await prometheus.instant("up", at=0)


@pytest.mark.parametrize(
    ("handler", "kind", "said"),
    [
        (says("no", status=401, kind="text/plain"), errors.UsageError, "HTTP 401 (no): credentials are missing, wrong"),
        (says("<html>Forbidden", status=403, kind="text/html"), errors.UsageError, "HTTP 403: credentials"),
        (says("<html>Log in", kind="text/html"), errors.UnreadableError, "HTTP 200 and text/html that is not the JSON"),
        (says("404 page not found", status=404, kind="text/plain"), errors.UnreadableError, "HTTP 404 and text/plain"),
        (says("", status=302, kind="text/html", Location="/login"), errors.UnreadableError, "is a login in front of"),
        (says('{"hello": 1}'), errors.UnreadableError, "is the address right, with its path?"),
        (says("[]"), errors.UnreadableError, "is the address right, with its path?"),
        (says("", status=502), errors.UnreadableError, "HTTP 502"),
    ],
    ids=["401", "403", "HTML", "404", "redirect", "other JSON", "a list", "502"],
)
async def test_whatever_is_not_prometheus_is_said_to_be_so(
    handler: object, kind: type[errors.ExporterError], said: str
) -> None:
    with Served(handler) as server:  # type: ignore[arg-type]
        async with Prometheus(Source(url=server.url)) as prometheus:
            with pytest.raises(kind) as error:
                await prometheus.instant("up", at=0)
    assert said in str(error.value)


async def test_nobody_there() -> None:
    with socket.create_server(("127.0.0.1", 0)) as nobody:
        port = nobody.getsockname()[1]
    async with Prometheus(Source(url=f"http://127.0.0.1:{port}")) as prometheus:
        with pytest.raises(errors.UnreadableError, match="cannot be reached"):
            await prometheus.instant("up", at=0)


async def test_somebody_who_does_not_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        async with Prometheus(Source(url=url, deadline=0.05)) as prometheus:
            with pytest.raises(errors.UnreadableError, match=r"has not answered within 0\.05 s"):
                await prometheus.instant("up", at=0)


@pytest.mark.parametrize("url", ["prometheus:9090", "ftp://host", "http://", "nonsense"])
async def test_an_address_that_is_none(url: str) -> None:
    async with Prometheus(Source(url=url)) as prometheus:
        with pytest.raises(errors.UsageError, match="not a URL such as"):
            await prometheus.instant("up", at=0)


@pytest.mark.parametrize("url", ["http://me:s3cr@et@127.0.0.1:1/x", "http://me:s3cret@[bad", "ftp://me:s3cret@x"])
async def test_a_password_in_the_address_is_not_told(url: str) -> None:
    async with Prometheus(Source(url=url)) as prometheus:
        with pytest.raises(errors.ExporterError) as error:
            await prometheus.instant("up", at=0)
    assert not {word for word in ("s3cr", "et@", "me:") if word in str(error.value)}


async def test_an_authority_of_ones_own(tmp_path: pathlib.Path) -> None:
    authority, context = trustme.CA(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(tmp_path / "ca.crt")
    with Served(says(document(VECTOR)), tls=context) as server:
        async with Prometheus(Source(url=server.url, ca_file=str(tmp_path / "ca.crt"))) as prometheus:
            assert len((await prometheus.instant("up", at=0)).series) == 1
        async with Prometheus(Source(url=server.url)) as prometheus:
            with pytest.raises(errors.UnreadableError, match=r"cannot be reached.*certificate"):
                await prometheus.instant("up", at=0)


async def test_authorities_that_cannot_be_read(tmp_path: pathlib.Path) -> None:
    with pytest.raises(errors.UsageError, match="--ca-file"):
        async with Prometheus(Source(url="https://localhost", ca_file=str(tmp_path / "none"))):
            pass


# --- the command


@pytest.mark.parametrize(
    ("handler", "code", "said"),
    [
        (says("no", status=401, kind="text/plain"), 3, "credentials are missing, wrong, or not enough"),
        (says("<html>Log in", kind="text/html"), 4, "text/html that is not the JSON of Prometheus"),
        (says("404 page not found", status=404, kind="text/plain"), 4, "is the address right, with its path?"),
        (says(document([], kind="matrix")), 2, "there is nothing of the exporter in the 168 h before"),
    ],
    ids=["401", "HTML", "404", "empty"],
)
def test_exit_codes(handler: object, code: int, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with Served(handler) as server:  # type: ignore[arg-type]
        assert cli.main(["verify", "--prometheus", server.url]) == code
    shown = capsys.readouterr()
    assert shown.out == ""
    assert said in shown.err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "--prometheus is missing"),
        (["--label", "prod"], "--label prod: not like NAME=VALUE"),
        (["--from", "2026-01-02T00:00:00Z", "--to", "2026-01-01T00:00:00Z"], "--from is not before --to"),
        (["--from", "yesterday"], "'yesterday' is no time such as"),
        (["--from", "2026-01-02T00:00:00"], "names no zone"),
        (["--from", "1", "--session", "a"], "--from and --session: give one of them"),
        (["--wait", "--session", "a"], "--wait is for the session under way"),
        (["--token-file", "/does/not/exist"], "--token-file /does/not/exist"),
        (["--accept", "nonsense"], "'nonsense' is not one of"),
    ],
)
def test_mistakes_are_told(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["verify", *arguments]) == 3
    shown = capsys.readouterr()
    assert shown.out == ""
    assert said in shown.err


def test_a_file_with_more_than_a_token(tmp_path: pathlib.Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "token").write_text("secret\nanother\n")
    assert cli.main(["verify", "--prometheus", "http://x", "--token-file", str(tmp_path / "token")]) == 3
    assert "token: holds more than a token" in capsys.readouterr().err


def test_a_token_from_a_file(tmp_path: pathlib.Path) -> None:
    (tmp_path / "token").write_text("secret\n")
    with Served(says(document([], kind="matrix"))) as server:
        arguments = ["--tenant", "team-a", "--token-file", str(tmp_path / "token")]
        assert cli.main(["verify", "--prometheus", server.url, *arguments]) == 2
    assert server.requests[0][2]["Authorization"] == "Bearer secret"
    assert server.requests[0][2]["X-Scope-OrgID"] == "team-a"
