"""Where everything goes that can be made again: extracted features, the synthetic corpus."""

from __future__ import annotations

import os
from pathlib import Path


def default_directory() -> Path:
    """`$SER_KERAS_CACHE`, else `$XDG_CACHE_HOME/ser_keras`, else `~/.cache/ser_keras`; absolute."""
    if chosen := os.environ.get("SER_KERAS_CACHE"):
        return Path(chosen).expanduser().absolute()
    caches = os.environ.get("XDG_CACHE_HOME")
    return (Path(caches) if caches else Path.home() / ".cache").absolute() / "ser_keras"
