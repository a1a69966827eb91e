"""Recordings and the channels that are taken of them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

from ser_keras.errors import AudioError
from ser_keras.sound import decoding

Choice = int | Literal["each"] | None


class Take(NamedTuple):
    """A recording, and the channel to take of it, from 0; None for the mean of all.

    Example:
        >>> Take("call.wav", 1).named()
        {'file': 'call.wav', 'channel': 1}
    """

    file: str
    channel: int | None = None

    def named(self) -> dict[str, Any]:
        """Return the fields that name it in a line of results."""
        return {"file": self.file, **({} if self.channel is None else {"channel": self.channel})}


def choice(text: str) -> Choice:
    """Read a choice of channels: a number from 0, mix for their mean, or each.

    Raises:
        ValueError: it is none of these.

    Example:
        >>> choice("1"), choice("each"), choice("mix")
        (1, 'each', None)
    """
    if text == "mix":
        return None
    return "each" if text == "each" else int(text)


def takes(files: Iterable[str], chosen: Choice) -> list[Take]:
    """List the takes of files: one of each, or one of every channel.

    A file that cannot be read is one take, whose decoding tells the reason.

    Example:
        >>> takes(["a.wav"], 0), takes(["not-there.wav"], "each")
        ([Take(file='a.wav', channel=0)], [Take(file='not-there.wav', channel=None)])
    """
    if chosen != "each":
        return [Take(file, chosen) for file in files]
    found = []
    for file in files:
        try:
            found += [Take(file, channel) for channel in range(decoding.inspect(file).channels)]
        except AudioError:
            found.append(Take(file))
    return found
