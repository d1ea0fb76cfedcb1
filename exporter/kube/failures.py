"""What a failed request saw: the exceptions of aiohttp and the system in the words of `exporter.model.probing`."""

import errno
import ssl
from typing import Final

import aiohttp

EXCEPTIONS: Final = (aiohttp.ClientError, OSError)
"""All that a request may raise for reasons outside this program."""

_OURS: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL})
"""We had no file descriptor, buffer or port to send with."""


def reason(error: BaseException) -> str:
    """One of the reasons of failures; `other` for what is not known."""
    if isinstance(error, OSError) and error.errno in _OURS:
        return "client"
    match error:
        case aiohttp.ClientConnectorDNSError():
            return "dns"
        case aiohttp.ClientSSLError() | ssl.SSLError():
            return "tls"
        case TimeoutError():
            return "timeout"
        case aiohttp.ClientConnectorError() | ConnectionRefusedError():
            return "connect"
        case (
            aiohttp.ServerDisconnectedError()
            | aiohttp.ClientPayloadError()
            | aiohttp.ClientOSError()
            | aiohttp.ClientConnectionError()
            | ConnectionError()
        ):
            return "reset"
        case _:
            return "other"
