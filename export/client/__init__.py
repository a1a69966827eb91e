"""A client of served models, over REST or gRPC."""

from ser_keras.export.client.client import Client, ConnectionLost, ServerError

__all__ = ["Client", "ConnectionLost", "ServerError"]
