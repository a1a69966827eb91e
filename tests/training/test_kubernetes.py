"""kubernetes.yaml is valid for Kubernetes, and its commands for the command line."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest
import yaml

from ser_keras.commands import main as cli


@pytest.fixture(scope="module")
def objects() -> dict[str, dict[str, Any]]:
    text = files("ser_keras.training").joinpath("kubernetes.yaml").read_text(encoding="utf-8")
    return {each["kind"]: each for each in yaml.safe_load_all(text)}


def test_its_command_is_one(objects: dict[str, dict[str, Any]]):
    [container] = objects["Job"]["spec"]["template"]["spec"]["containers"]
    assert container["command"][0] == "ser-keras"
    words: list[str] = [*container["command"][1:], *container["args"]]
    options = vars(cli._parser(words).parse_args(words))
    mounted = {mount["mountPath"] for mount in container["volumeMounts"]}
    assert {f"/{str(options[name]).split('/')[1]}" for name in ("features", "out")} == mounted


def test_every_worker_finds_itself_and_the_others(objects: dict[str, dict[str, Any]]):
    job, service = objects["Job"], objects["Service"]
    assert job["spec"]["completionMode"] == "Indexed"
    count = job["spec"]["completions"]
    assert job["spec"]["parallelism"] == count  # all or none can train
    template = job["spec"]["template"]
    # Pods of an Indexed Job are called JOB-INDEX, and so are their hosts; a headless service
    # of the name of their subdomain makes them known.
    assert service["spec"]["clusterIP"] == "None"
    assert service["spec"]["publishNotReadyAddresses"]
    assert service["metadata"]["name"] == template["spec"]["subdomain"]
    assert service["spec"]["selector"].items() <= template["metadata"]["labels"].items()
    [container] = template["spec"]["containers"]
    port = service["spec"]["ports"][0]["port"]
    assert container["ports"] == [{"containerPort": port}]
    index, described = container["env"]
    assert index["name"] == "JOB_COMPLETION_INDEX"  # before what refers to it
    assert described["name"] == "TF_CONFIG"
    name, domain = job["metadata"]["name"], template["spec"]["subdomain"]
    for number in range(count):
        text = described["value"].replace("$(JOB_COMPLETION_INDEX)", str(number))
        cluster = json.loads(text)
        assert cluster["task"] == {"type": "worker", "index": number}
        assert cluster["cluster"]["worker"][number] == f"{name}-{number}.{domain}:{port}"
        assert len(cluster["cluster"]["worker"]) == count


def test_every_volume_is_declared_and_workers_start_again(objects: dict[str, dict[str, Any]]):
    pod = objects["Job"]["spec"]["template"]["spec"]
    assert pod["restartPolicy"] == "OnFailure"  # the default, Always, is refused for a Job
    volumes = {volume["name"] for volume in pod["volumes"]}
    for container in pod["containers"]:
        assert {mount["name"] for mount in container["volumeMounts"]} <= volumes
