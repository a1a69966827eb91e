"""kubernetes.yaml is valid for Kubernetes, and its commands for the command line."""

from __future__ import annotations

from importlib.resources import files
from typing import Any

import pytest
import yaml

from ser_keras.commands import main as cli


@pytest.fixture(scope="module")
def manifest_objects() -> dict[str, dict[str, Any]]:
    text = files("ser_keras.tuning").joinpath("kubernetes.yaml").read_text(encoding="utf-8")
    return {each["metadata"]["name"]: each for each in yaml.safe_load_all(text)}


def _arguments(job: dict[str, Any]) -> list[str]:
    container = job["spec"]["template"]["spec"]["containers"][0]
    assert container["command"] == ["ser-keras", "tune"]
    return container["args"]


def test_chief_and_workers_run_the_same_search(manifest_objects: dict[str, dict[str, Any]]):
    parsed = {}
    for role in ("chief", "workers"):
        words = ["tune", *_arguments(manifest_objects[f"ser-keras-tune-{role}"])]
        parsed[role] = vars(cli._parser(words).parse_args(words))
    differing = {key for key in parsed["chief"] if parsed["chief"][key] != parsed["workers"][key]}
    assert differing == {"role", "address", "out"}
    assert parsed["chief"]["role"] == "chief"
    assert parsed["workers"]["role"] == "worker"


def test_workers_find_the_chief(manifest_objects: dict[str, dict[str, Any]]):
    service = manifest_objects["ser-keras-tune"]
    chief = manifest_objects["ser-keras-tune-chief"]["spec"]["template"]
    workers = manifest_objects["ser-keras-tune-workers"]
    assert service["spec"]["selector"].items() <= chief["metadata"]["labels"].items()
    labels = workers["spec"]["template"]["metadata"]["labels"]
    assert not service["spec"]["selector"].items() <= labels.items()
    address = next(
        word.partition("=")[2] for word in _arguments(workers) if word.startswith("--address")
    )
    assert address == f"{service['metadata']['name']}:{service['spec']['ports'][0]['port']}"


def test_every_volume_is_declared_and_jobs_start_again(manifest_objects: dict[str, dict[str, Any]]):
    for name in ("ser-keras-tune-chief", "ser-keras-tune-workers"):
        job = manifest_objects[name]
        assert (job["apiVersion"], job["kind"]) == ("batch/v1", "Job")
        pod = job["spec"]["template"]["spec"]
        assert pod["restartPolicy"] == "OnFailure"  # the default, Always, is refused for a Job
        volumes = {volume["name"] for volume in pod["volumes"]}
        for container in pod["containers"]:
            assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
