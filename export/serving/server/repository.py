"""Models on disk, in the versions that are served: found, loaded, replaced and drained."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ser_keras.export.serving.server.batching import Batcher
from ser_keras.export.serving.server.loaded_model import Servable, Signature
from ser_keras.export.serving.tf_serving.model_config import ModelConfig
from ser_keras.export.serving.tf_serving.status import ServingError, invalid

log = logging.getLogger("ser_keras.serving")

ModelConfigs = Callable[[], Mapping[str, ModelConfig]]

# States of TF Serving's get_model_status.proto.
START, LOADING, AVAILABLE, UNLOADING, END = "START", "LOADING", "AVAILABLE", "UNLOADING", "END"


@dataclass
class Version:
    """A version of a model, served or not yet or no more."""

    number: int
    folder: Path
    state: str = START
    error_code: str = "OK"
    error_message: str = ""
    fingerprint: int = 0
    servable: Servable | None = None
    in_flight: int = 0
    idle: asyncio.Event = field(default_factory=asyncio.Event)
    batchers: dict[str, Batcher] = field(default_factory=dict)

    def status(self) -> dict[str, object]:
        """As GetModelStatus says it."""
        return {
            "version": str(self.number),
            "state": self.state,
            "status": {"error_code": self.error_code, "error_message": self.error_message},
        }


class Repository:
    """The models of a folder; everything here happens on one event loop.

    Args:
        configs: gives the models to serve, whenever it is called.
        threads: calls of models that run at once.
        largest_batch: instances that are answered together.
        drain: seconds that a version may take to answer what it began, once it is replaced.
    """

    def __init__(
        self, configs: ModelConfigs, threads: int, largest_batch: int = 32, drain: float = 60.0
    ) -> None:
        self._configs = configs
        self._threads = threads
        self._largest_batch = largest_batch
        self._drain = drain
        self._models: dict[str, dict[int, Version]] = {}
        self._labels: dict[str, dict[str, int]] = {}
        self._inference = ThreadPoolExecutor(threads, "inference")
        self._loader = ThreadPoolExecutor(1, "loader")
        self._draining: set[asyncio.Task[None]] = set()

    def names(self) -> list[str]:
        """The models that have a version to answer with."""
        return sorted(
            name
            for name, versions in self._models.items()
            if any(version.state == AVAILABLE for version in versions.values())
        )

    def status(self, name: str, version: int | None, label: str | None) -> list[dict[str, object]]:
        """What is served of a model: a version, or all, the newest first.

        Raises:
            ServingError: NOT_FOUND, no such model or version; INVALID_ARGUMENT, no such label.
        """
        versions = self._models.get(name, {})
        if label is not None and versions:
            version = self._labeled(name, label)
        if version is not None:
            if version not in versions:
                raise ServingError("NOT_FOUND", f"Could not find version {version} of model {name}")
            return [versions[version].status()]
        if not versions:
            raise ServingError("NOT_FOUND", f"Could not find any versions of model {name}")
        return [versions[number].status() for number in sorted(versions, reverse=True)]

    @contextmanager
    def use(self, name: str, version: int | None, label: str | None) -> Iterator[Version]:
        """A version that will not be unloaded while it is used.

        Raises:
            ServingError: as `status`.
        """
        found = self._find(name, version, label)
        found.in_flight += 1
        try:
            yield found
        finally:
            found.in_flight -= 1
            if not found.in_flight:
                found.idle.set()

    def batcher(self, version: Version, signature: Signature) -> Batcher:
        """What runs a signature of a version."""
        if signature.name not in version.batchers:
            version.batchers[signature.name] = Batcher(
                signature, self._inference, self._threads, self._largest_batch
            )
        return version.batchers[signature.name]

    @property
    def inference(self) -> ThreadPoolExecutor:
        """The threads that models run in."""
        return self._inference

    async def refresh(self) -> None:
        """Look at the disk once: load what is new, then drain what is no longer wanted."""
        loop = asyncio.get_running_loop()
        configs = await loop.run_in_executor(self._loader, self._configs)
        for name, config in configs.items():
            await self._update(config)
            versions = self._models.get(name, {})
            self._labels[name] = {
                label: number
                for label, number in config.labels.items()
                if number in versions and versions[number].state == AVAILABLE
            }
        for name in self._models.keys() - configs.keys():
            for version in self._models[name].values():
                self._retire(name, version)

    async def watch(self, seconds: float) -> None:
        """Look at the disk again and again."""
        while True:
            await asyncio.sleep(seconds)
            try:
                await self.refresh()
            except Exception:
                log.exception("the folder of models cannot be read; trying again")

    async def close(self) -> None:
        """Let threads end; nothing may be asked any more."""
        for task in self._draining:
            task.cancel()
        self._inference.shutdown(wait=True, cancel_futures=True)
        self._loader.shutdown(wait=False, cancel_futures=True)

    async def _update(self, config: ModelConfig) -> None:
        versions = self._models.setdefault(config.name, {})
        wanted = config.wanted()
        for number, folder in wanted.items():
            known = versions.get(number)
            if known is not None and known.state != END:
                continue
            # What failed to load is tried again once its files have changed: it may have been
            # copied while it was looked at.
            found = Version(number, folder)
            found.fingerprint = _fingerprint(found.folder)
            if known is None or known.error_code == "OK" or known.fingerprint != found.fingerprint:
                versions[number] = found
                await self._load(config.name, found)
        # The old answer until the new can: a version that fails to load replaces nothing.
        if any(versions[number].state == AVAILABLE for number in wanted) or not wanted:
            for number in versions.keys() - wanted.keys():
                self._retire(config.name, versions[number])
        if not versions:
            del self._models[config.name]

    async def _load(self, name: str, version: Version) -> None:
        version.state = LOADING
        loop = asyncio.get_running_loop()
        try:
            version.servable = await loop.run_in_executor(self._loader, Servable, version.folder)
        except Exception as error:  # noqa: BLE001  # TensorFlow raises of every kind
            log.error("%s version %d cannot be loaded: %s", name, version.number, error)
            version.state, version.error_code = END, "UNKNOWN"
            version.error_message = f"the SavedModel cannot be loaded ({type(error).__name__})"
        else:
            version.state = AVAILABLE
            log.info("%s version %d is available", name, version.number)

    def _retire(self, name: str, version: Version) -> None:
        if version.state == AVAILABLE:
            version.state = UNLOADING
            task = asyncio.ensure_future(self._unload(name, version))
            self._draining.add(task)
            task.add_done_callback(self._draining.discard)

    async def _unload(self, name: str, version: Version) -> None:
        if version.in_flight:
            version.idle.clear()
            try:
                await asyncio.wait_for(version.idle.wait(), self._drain)
            except asyncio.TimeoutError:
                log.warning("%s version %d still had requests", name, version.number)
        version.servable = None
        version.batchers.clear()
        version.state = END
        log.info("%s version %d is unloaded", name, version.number)

    def _labeled(self, name: str, label: str) -> int:
        number = self._labels.get(name, {}).get(label)
        if number is None:
            raise invalid("Unrecognized servable version label: ", label)
        return number

    def _find(self, name: str, version: int | None, label: str | None) -> Version:
        if label is not None:
            version = self._labeled(name, label)
        versions = self._models.get(name, {})
        available = [number for number in versions if versions[number].state == AVAILABLE]
        if version is None and available:
            version = max(available)
        if version is None or version not in available:
            request = f"Latest({name})" if version is None else f"Specific({name}, {version})"
            raise ServingError("NOT_FOUND", f"Servable not found for request: {request}")
        return versions[version]


def _fingerprint(folder: Path) -> int:
    """Another number, most likely, once files have come, gone or changed."""
    found = []
    for path in sorted(folder.rglob("*")):
        try:
            stat = path.stat()
        except OSError:  # gone meanwhile
            continue
        found.append((str(path), stat.st_size, stat.st_mtime_ns))
    return hash(tuple(found))
