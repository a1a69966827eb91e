"""The models on disk, kept up to date: versions are found, loaded, replaced and drained."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from ser_keras.export.serving.server import sound_limits
from ser_keras.export.serving.server.batching import Batcher
from ser_keras.export.serving.server.loaded_model import LoadedModel
from ser_keras.export.serving.tf_serving.model_config import ModelConfig
from ser_keras.export.serving.tf_serving.status import ServingError, invalid

FindModels = Callable[[], Mapping[str, ModelConfig]]

# A version that fails to load is tried again, as often as by TF Serving (`max_num_load_retries`),
# after pauses that double: 5 s to 80 s.
LOAD_RETRIES = 5
RETRY_SECONDS = 5.0
DRAIN_SECONDS = 60.0  # that a version may take to answer what it began, once it is replaced

log = logging.getLogger("ser_keras.serving")

# States of TF Serving's get_model_status.proto.
LOADING, AVAILABLE, UNLOADING, END = "LOADING", "AVAILABLE", "UNLOADING", "END"


@dataclass
class _Version:
    """A version of a model: to be loaded, served, or unloaded."""

    number: int
    folder: Path
    fingerprint: int = 0  # of the folder's files when loading began
    state: str = LOADING
    error: str = ""  # where it cannot be loaded
    tries: int = 1  # to load these files
    due: float = 0.0  # by the loop's clock, when it is tried again
    model: LoadedModel | None = None  # while the state is AVAILABLE or UNLOADING
    in_flight: int = 0  # requests
    idle: asyncio.Event = field(default_factory=asyncio.Event)

    def status(self) -> dict[str, object]:
        """Return the status as GetModelStatus has it."""
        code = "UNKNOWN" if self.error else "OK"
        status = {"error_code": code, "error_message": self.error}
        return {"version": str(self.number), "state": self.state, "status": status}


class Repository:
    """The models of a folder. All methods are called on one event loop.

    Args:
        find_models: returns the models to serve, by name; called at every look at the disk.
        threads: number of batches that run at once.
        largest_batch: number of instances that are run together.

    Attributes:
        inference: the threads that models run in.

    Example:
        >>> Repository(dict, threads=1).names()
        []
    """

    def __init__(self, find_models: FindModels, threads: int, largest_batch: int = 32) -> None:
        self.inference = ThreadPoolExecutor(threads, "inference")
        self._find_models = find_models
        self._batcher = lambda signature: Batcher(
            signature, self.inference, threads, sound_limits.fits, largest_batch
        )
        self._models: dict[str, dict[int, _Version]] = {}
        self._labels: dict[str, dict[str, int]] = {}
        self._loader = ThreadPoolExecutor(1, "loader")
        self._draining: set[asyncio.Task[None]] = set()

    def names(self) -> list[str]:
        """Return the models that have a version to answer with."""
        return sorted(name for name, versions in self._models.items() if _available(versions))

    def status(self, name: str, version: int | None = None) -> list[dict[str, object]]:
        """Return the status of one version or of all, the newest first.

        As in TF Serving nobody is asked for a label: all versions are told then.

        Raises:
            ServingError: NOT_FOUND, no such model or version.
        """
        versions = self._models.get(name, {})
        if version is not None:
            if version not in versions:
                raise ServingError("NOT_FOUND", f"Could not find version {version} of model {name}")
            return [versions[version].status()]
        if not versions:
            raise ServingError("NOT_FOUND", f"Could not find any versions of model {name}")
        return [versions[number].status() for number in sorted(versions, reverse=True)]

    @contextlib.contextmanager
    def use(
        self, name: str, version: int | None = None, label: str | None = None
    ) -> Iterator[LoadedModel]:
        """Provide a version that is not unloaded while it is used; the newest by default.

        Raises:
            ServingError: NOT_FOUND, no such model or version; INVALID_ARGUMENT, no such label.
        """
        if label is not None:
            version = self._labeled(name, label)
        available = _available(self._models.get(name, {}))
        wanted = f"Latest({name})" if version is None else f"Specific({name}, {version})"
        found = available.get(max(available, default=0) if version is None else version)
        if found is None or found.model is None:
            raise ServingError("NOT_FOUND", f"Servable not found for request: {wanted}")
        found.in_flight += 1
        try:
            yield found.model
        finally:
            found.in_flight -= 1
            if not found.in_flight:
                found.idle.set()

    async def refresh(self) -> None:
        """Look at the disk once: load what is new, then drain what is no longer wanted."""
        loop = asyncio.get_running_loop()
        configs = await loop.run_in_executor(self._loader, self._find_models)
        for name, config in configs.items():
            await self._update(name, config.versions)
            available = _available(self._models.get(name, {}))
            self._labels[name] = {
                label: number for label, number in config.labels.items() if number in available
            }
        for name in self._models.keys() - configs.keys():
            for version in self._models[name].values():
                self._retire(name, version)

    async def watch(self, seconds: float) -> None:
        """Look at the disk again and again; say once when it cannot be read, and once it can."""
        problem = ""
        while True:
            await asyncio.sleep(seconds)
            try:
                await self.refresh()
            except Exception as error:  # noqa: BLE001  # the models in memory are served anyhow
                found = str(error) or type(error).__name__
                if found != problem:
                    log.error("the models cannot be looked for; those loaded stay: %s", error)
                problem = found
            else:
                if problem:
                    log.info("the models can be looked for again")
                problem = ""

    async def close(self) -> None:
        """End the threads; nothing may be asked afterwards."""
        for task in self._draining:
            task.cancel()
        self.inference.shutdown(wait=True, cancel_futures=True)
        self._loader.shutdown(wait=False, cancel_futures=True)

    async def _update(self, name: str, wanted: Mapping[int, Path]) -> None:
        versions = self._models.setdefault(name, {})
        for number, folder in wanted.items():
            known = versions.get(number)
            if known is not None and known.state != END:
                continue
            # What failed to load is tried again once its files have changed, as it may have been
            # looked at while it was copied; and some times though they have not.
            found = _Version(number, folder, _fingerprint(folder))
            if known is not None and known.error and known.fingerprint == found.fingerprint:
                if known.tries > LOAD_RETRIES or asyncio.get_running_loop().time() < known.due:
                    continue
                found.tries = known.tries + 1
            versions[number] = found
            await self._load(name, found)
        # The old version answers until a new one can: one that fails to load replaces nothing.
        if not wanted or wanted.keys() & set(_available(versions)):
            for number in versions.keys() - wanted.keys():
                self._retire(name, versions[number])
        if not versions:
            del self._models[name]

    async def _load(self, name: str, version: _Version) -> None:
        loop = asyncio.get_running_loop()
        try:
            version.model = await loop.run_in_executor(
                self._loader, LoadedModel, version.folder, self._batcher
            )
        except Exception as error:  # noqa: BLE001  # TensorFlow raises exceptions of many types
            log.error("%s version %d cannot be loaded: %s", name, version.number, error)
            version.state = END
            version.error = f"the SavedModel cannot be loaded ({type(error).__name__})"
            pause = RETRY_SECONDS * 2 ** (version.tries - 1)
            version.due = asyncio.get_running_loop().time() + pause
        else:
            version.state = AVAILABLE
            log.info("%s version %d is available", name, version.number)

    def _retire(self, name: str, version: _Version) -> None:
        if version.state == AVAILABLE:
            version.state = UNLOADING
            task = asyncio.ensure_future(self._unload(name, version))
            self._draining.add(task)  # the loop itself keeps no reference
            task.add_done_callback(self._draining.discard)

    async def _unload(self, name: str, version: _Version) -> None:
        if version.in_flight:
            version.idle.clear()
            try:
                await asyncio.wait_for(version.idle.wait(), DRAIN_SECONDS)
            except asyncio.TimeoutError:
                log.warning("%s version %d still had requests", name, version.number)
        version.model = None
        version.state = END
        log.info("%s version %d is unloaded", name, version.number)

    def _labeled(self, name: str, label: str) -> int:
        number = self._labels.get(name, {}).get(label)
        if number is None:
            raise invalid(f"Unrecognized servable version label: {label}")
        return number


def _available(versions: Mapping[int, _Version]) -> dict[int, _Version]:
    return {number: one for number, one in versions.items() if one.state == AVAILABLE}


def _fingerprint(folder: Path) -> int:
    """Return a number that most likely differs once files have come, gone or changed."""
    found = []
    for path in sorted(folder.rglob("*")):
        with contextlib.suppress(OSError):  # gone meanwhile
            stat = path.stat()
            found.append((str(path), stat.st_size, stat.st_mtime_ns))
    return hash(tuple(found))
