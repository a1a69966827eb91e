"""A client of served models, over REST or gRPC."""

from ser_keras.export.client.client import Client
from ser_keras.export.client.errors import ServerError

__all__ = ["Client", "ServerError"]
