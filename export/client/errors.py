"""The error of a request to a server; a module of its own, since both transports raise it."""

from __future__ import annotations

from ser_keras.errors import SerKerasError


class ServerError(SerKerasError):
    """A server could not be reached, or answered with an error.

    Args:
        message: the server's own words, where it had any.
        status: of HTTP, or gRPC's code by name; None where there was no answer.

    Example:
        >>> error = ServerError("http://127.0.0.1:8501", "Malformed request", 400)
        >>> str(error), error.is_of_input
        ('http://127.0.0.1:8501: Malformed request (400)', True)
    """

    def __init__(self, server: str, message: str, status: int | str | None = None) -> None:
        super().__init__(f"{server}: {message}" + (f" ({status})" if status is not None else ""))
        self.message = message
        self.status = status

    @property
    def is_of_input(self) -> bool:
        """Whether the server refused what it was sent, rather than failed by itself."""
        return self.status in (400, 413, "INVALID_ARGUMENT")
