"""The names that a request may call this server by.

A page from elsewhere can have its own name resolved to this machine (DNS rebinding); the browser
then lets it read what a server here answers. Its requests carry that name in `Host`. An address
cannot be resolved to another, nor can `localhost` or the machine's own name be the page's.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable

from ser_keras.export.serving.tf_serving.status import ServingError

ANY = "*"

_HOST = re.compile(r"(?:\[(?P<address>[^\]]*)\]|(?P<name>[^:\[\]]*))(?::\d*)?")


class AllowedHosts:
    """Loopback names, addresses, the machine's name, and others.

    Args:
        others: further names; "*" for any.

    Example:
        >>> AllowedHosts(["models.example.org"]).check([(b"host", b"localhost:8501")])
        >>> AllowedHosts([]).check([(b"host", b"models.example.org")]).http_status
        403
    """

    def __init__(self, others: Iterable[str]) -> None:
        self._names = {"localhost", socket.gethostname().lower()}
        self._names |= {name.lower().rstrip(".") for name in others}

    def check(self, headers: Iterable[tuple[bytes, bytes]]) -> ServingError | None:
        """Return the refusal of a request, if any, by its headers.

        One without `Host` is answered, as TF Serving does: browsers send it.
        """
        if ANY in self._names:
            return None
        for header, value in headers:
            if header == b"host" and not self._is_allowed(value.decode("latin-1")):
                return ServingError(
                    "PERMISSION_DENIED",
                    "Host: expected localhost, an address or a name given with --allowed-host, "
                    f"found {value.decode('latin-1')!r}",
                )
        return None

    def _is_allowed(self, host: str) -> bool:
        match = _HOST.fullmatch(host.strip())
        if match is None:
            return False
        name = (match["address"] or match["name"] or "").lower().rstrip(".")
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return name in self._names or name.endswith(".localhost")
        return True
