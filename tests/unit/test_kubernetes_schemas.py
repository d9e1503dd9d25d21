"""The manifests in deploy/kubernetes are valid by the schemas of Kubernetes, whose strict form knows every field."""

import shutil
import subprocess
from collections.abc import Callable
from copy import deepcopy
from functools import cache
from typing import Any

import kubernetes_validate
import pytest
import yaml
from kubernetes_validate.utils import SchemaNotFoundError, ValidationError

from tests.unit.test_kubernetes import FOLDER, OBJECTS, container, ids, named, pod

OLDEST = "1.27"
"""The oldest version that docs/operations.md names."""
API, SERVICE, NETWORK = ("Deployment", "todo-api"), ("Service", "todo-web"), ("NetworkPolicy", "todo-api")
SCALER, BUDGET, JOB = (
    ("HorizontalPodAutoscaler", "todo-api"),
    ("PodDisruptionBudget", "todo-web"),
    ("Job", "todo-migrate"),
)


@cache
def rendered() -> list[dict[str, Any]]:
    """What kustomize makes of the files; the files themselves where kubectl is not installed."""
    if (kubectl := shutil.which("kubectl")) is None:
        return OBJECTS
    ended = subprocess.run([kubectl, "kustomize", FOLDER], capture_output=True, text=True, timeout=60, check=True)
    return [*yaml.safe_load_all(ended.stdout)]


@pytest.mark.parametrize("version", [OLDEST, "1.32", "1.37"])
def test_every_object_is_valid(version: str) -> None:
    for one in rendered():
        assert kubernetes_validate.validate(one, version, strict=True) == version, ids(one)


MISTAKES: dict[str, tuple[tuple[str, str], Callable[[dict[str, Any]], object]]] = {
    "an unknown field": (API, lambda one: one["spec"].update(replica=2)),
    "an unknown field of a pod": (JOB, lambda one: pod(one).update(restartpolicy="Never")),
    "an unknown field of a container": (API, lambda one: container(one).update(readynessProbe={})),
    "a misspelt context": (API, lambda one: container(one)["securityContext"].update(runAsNonroot=True)),
    "a number for a text": (SERVICE, lambda one: one["metadata"]["labels"].update(version=2)),
    "a text for a number": (API, lambda one: container(one)["ports"][0].update(containerPort="8000")),
    "a text for a truth value": (API, lambda one: pod(one).update(enableServiceLinks="false")),
    "an object for a list": (NETWORK, lambda one: one["spec"].update(ingress={})),
    "a list for an object": (BUDGET, lambda one: one["spec"].update(selector=[])),
    "no selector": (API, lambda one: one["spec"].pop("selector")),
    "no container": (JOB, lambda one: pod(one).pop("containers")),
    "no name": (API, lambda one: container(one).pop("name")),
    "no target": (SCALER, lambda one: one["spec"].pop("scaleTargetRef")),
    "no port": (SERVICE, lambda one: one["spec"]["ports"][0].pop("port")),
    "no such kind in that version": (SCALER, lambda one: one.update(apiVersion="autoscaling/v2beta1")),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_found(mistake: str) -> None:
    (kind, name), make = MISTAKES[mistake]
    wrong = deepcopy(named(kind, name))
    kubernetes_validate.validate(wrong, OLDEST, strict=True)
    make(wrong)
    with pytest.raises((SchemaNotFoundError, ValidationError)):
        kubernetes_validate.validate(wrong, OLDEST, strict=True)
