"""Who we are to the API server, and where it is: in-cluster credentials or a kubeconfig, kept fresh.

`kubernetes.aio` reads them, runs exec plugins and speaks to token providers; this module decides which to use and when
to ask again. Requests are made by `exporter.kube.api`.
"""

import asyncio
import logging
import os
import pathlib
import time
from collections.abc import Callable, Mapping
from typing import Final, Protocol

import yaml
from kubernetes.aio import config
from kubernetes.aio.client.configuration import Configuration
from kubernetes.aio.config import incluster_config, kube_config

from exporter import errors, settings

RENEWAL: Final = 60.0
"""Seconds for which credentials are taken to be good. A projected token is replaced 12 minutes before it expires."""

REFUSED_RENEWAL: Final = 5.0
"""The same after a refusal: a plugin is not run for each of many requests that are refused at once."""

PLUGIN_DEADLINE: Final = 30.0
"""Seconds an exec plugin or a token provider may take."""

_LOG: Final = logging.getLogger(__name__)
_REFUSALS: Final = (config.ConfigException, OSError, KeyError, TypeError, ValueError, AttributeError, yaml.YAMLError)
"""What the library raises for a kubeconfig it cannot use; not all of it is meant to be raised."""


class _Loader(Protocol):
    async def load(self, configuration: Configuration) -> None:
        """Read the credentials into the configuration."""


class InCluster:
    """The service account of the pod we run in."""

    def __init__(
        self,
        *,
        environment: Mapping[str, str] = os.environ,
        folder: pathlib.Path = pathlib.Path(incluster_config.SERVICE_TOKEN_FILENAME).parent,
    ) -> None:
        self._token = folder / "token"
        self._loader = incluster_config.InClusterConfigLoader(  # type: ignore[no-untyped-call]
            token_filename=self._token,
            cert_filename=str(folder / "ca.crt"),
            try_refresh_token=False,  # Access does it, and the library's hook cannot be hurried after a 401
            environ=environment,
        )

    @property
    def here(self) -> bool:
        """We run in a pod that has a service account."""
        return self._token.is_file()

    async def load(self, configuration: Configuration) -> None:
        self._loader.load_and_set(configuration)  # type: ignore[no-untyped-call]


class Kubeconfig:
    """A kubeconfig: static tokens and certificates, token files, exec plugins, OIDC."""

    def __init__(self, *, file: str = "", context: str = "") -> None:
        self._file = file or str(kube_config.KUBE_CONFIG_DEFAULT_LOCATION)
        self._context = context or None
        self._loader: kube_config.KubeConfigLoader | None = None

    async def load(self, configuration: Configuration) -> None:
        if self._loader is None:
            if not _any_exists(self._file):
                raise FileNotFoundError(f"there is no file {self._file}")
            self._loader = await config.load_kube_config(  # type: ignore[no-untyped-call]
                config_file=self._file,
                context=self._context,
                client_configuration=configuration,
                persist_config=False,
            )
        else:
            await self._loader.load_and_set(configuration)  # type: ignore[no-untyped-call]


class Access:
    """Where the API server is and the credentials for it; make it with `load`."""

    def __init__(self, loader: _Loader, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self.configuration: Configuration = Configuration()
        # Python 3.13 asks for extensions that many clusters' certificates lack and that kubectl does not miss.
        self.configuration.disable_strict_ssl_verification = True
        self.fingerprint: tuple[object, ...] = ()
        """Differs when the credentials do."""
        self._loader = loader
        self._monotonic = monotonic
        self._loaded_at = monotonic()
        self._renewing = asyncio.Lock()
        self._trouble = ""

    @property
    def server(self) -> str:
        """The API server's address, without a slash at the end."""
        host: str = self.configuration.host
        return host.rstrip("/")

    @property
    def authorization(self) -> str | None:
        """The header's value, or None for a client certificate (or for nobody)."""
        value: str | None = self.configuration.api_key.get("BearerToken")
        return value.strip() if value else None

    async def load(self) -> None:
        """Read the credentials. Raises UsageError where there are none to be had."""
        try:
            async with asyncio.timeout(PLUGIN_DEADLINE):
                await self._loader.load(self.configuration)
        except TimeoutError as error:
            raise errors.UsageError(f"no credentials for the cluster: none within {PLUGIN_DEADLINE:g} s") from error
        except _REFUSALS as error:
            text = " ".join(f"{type(error).__name__}: {error}".split())
            raise errors.UsageError(f"no credentials for the cluster: {text[:300]}") from error
        finally:
            self._loaded_at = self._monotonic()
        files = (self.configuration.cert_file, self.configuration.key_file, self.configuration.ssl_ca_cert)
        self.fingerprint = (self.authorization, *map(_state, files))

    async def renew(self, *, refused: bool = False) -> None:
        """Read the credentials again where they may have changed; `refused`: the server does not take them any more.

        Trouble is logged when it changes, and the old credentials stay: the server decides what they are worth.
        """
        patience = REFUSED_RENEWAL if refused else RENEWAL
        if self._monotonic() - self._loaded_at < patience:
            return
        async with self._renewing:
            if self._monotonic() - self._loaded_at < patience:
                return  # somebody else just did
            trouble = ""
            try:
                await self.load()
            except errors.UsageError as error:
                trouble = str(error)
        if trouble and trouble != self._trouble:
            _LOG.warning("credentials_not_renewed", extra={"why": trouble})
        self._trouble = trouble


async def load(cluster: settings.Cluster, *, in_cluster: InCluster | None = None) -> Access:
    """The credentials that the settings ask for: a named kubeconfig or context, else the pod's, else the kubeconfig.

    Raises UsageError where there are none.
    """
    pod = in_cluster or InCluster()
    loader: _Loader
    if cluster.kubeconfig or cluster.context or not pod.here:
        loader = Kubeconfig(file=cluster.kubeconfig, context=cluster.context)
    else:
        loader = pod
    access = Access(loader)
    await access.load()
    if not access.authorization and not access.configuration.cert_file:
        _LOG.warning("access_anonymous", extra={"server": access.server})
    return access


def _any_exists(files: str) -> bool:
    """KUBECONFIG may name several files, of which some may be missing."""
    return any(pathlib.Path(file).expanduser().is_file() for file in files.split(os.pathsep))


def _state(file: str | None) -> tuple[object, ...]:
    """Differs when the file does, also where a link leads to another one."""
    if not file:
        return ()
    try:
        status = pathlib.Path(file).stat()
    except OSError:
        return (file,)
    return (file, status.st_ino, status.st_mtime_ns)
