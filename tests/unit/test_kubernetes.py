"""The manifests in deploy/kubernetes fit together, and fit the service: names, ports, paths, settings, rights."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from adapters.http.app import ROUTES
from entrypoints.server import GRACE
from entrypoints.settings import Settings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"
KUSTOMIZATION = yaml.safe_load((FOLDER / "kustomization.yaml").read_text())
OBJECTS: list[dict[str, Any]] = [
    one for name in KUSTOMIZATION["resources"] for one in yaml.safe_load_all((FOLDER / name).read_text())
]
CONFIG = {
    one["name"]: dict(literal.split("=", 1) for literal in one["literals"])
    for one in KUSTOMIZATION["configMapGenerator"]
}
WORKLOADS = [one for one in OBJECTS if one["kind"] in {"Deployment", "Job"}]
SETTINGS_OF_WEB = set(re.findall(r"^\| `([A-Z_]+)` \|", (ROOT / "docs" / "frontend.md").read_text(), re.MULTILINE))
LABEL = "app.kubernetes.io/name"
SHUTDOWN = 10
"""Seconds within which the service has ended after SIGTERM."""


def named(kind: str, name: str) -> dict[str, Any]:
    [found] = [one for one in OBJECTS if (one["kind"], one["metadata"]["name"]) == (kind, name)]
    return found


def pod(workload: dict[str, Any]) -> dict[str, Any]:
    spec: dict[str, Any] = workload["spec"]["template"]["spec"]
    return spec


def container(workload: dict[str, Any]) -> dict[str, Any]:
    [only] = pod(workload)["containers"]
    found: dict[str, Any] = only
    return found


def environment(workload: dict[str, Any], **secrets: str) -> dict[str, str]:
    """What a container gets, with these values of secrets."""
    found: dict[str, str] = {}
    for source in container(workload).get("envFrom", []):
        found |= CONFIG[source["configMapRef"]["name"]]
    for variable in container(workload).get("env", []):
        found[variable["name"]] = variable.get("value") or secrets[variable["name"]]
    return found


def ids(workload: dict[str, Any]) -> str:
    return str(workload["metadata"]["name"])


@pytest.mark.parametrize("workload", WORKLOADS, ids=ids)
class TestEveryWorkload:
    def test_it_runs_without_rights(self, workload: dict[str, Any]) -> None:
        of_pod, of_container = pod(workload)["securityContext"], container(workload)["securityContext"]
        assert of_pod["runAsNonRoot"] is True
        assert of_pod["seccompProfile"] == {"type": "RuntimeDefault"}
        image = (ROOT / ("frontend" if "web" in container(workload)["image"] else ".") / "Dockerfile").read_text()
        assert f"USER {of_pod['runAsUser']}:{of_pod['runAsGroup']}" in image
        assert of_container == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert pod(workload)["automountServiceAccountToken"] is False
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod(workload))

    def test_kubernetes_adds_no_variables_that_look_like_settings(self, workload: dict[str, Any]) -> None:
        assert pod(workload)["enableServiceLinks"] is False

    def test_what_it_writes_has_a_place(self, workload: dict[str, Any]) -> None:
        mounted = {mount["name"]: mount["mountPath"] for mount in container(workload)["volumeMounts"]}
        assert set(mounted) == {volume["name"] for volume in pod(workload)["volumes"]}
        assert mounted["tmp"] == "/tmp"
        assert all(volume["emptyDir"]["sizeLimit"] for volume in pod(workload)["volumes"])

    def test_it_asks_for_processor_time_and_its_memory_is_bounded(self, workload: dict[str, Any]) -> None:
        resources = container(workload)["resources"]
        assert set(resources["requests"]) == {"cpu", "memory"}
        assert "memory" in resources["limits"]

    def test_its_image_is_named_once_for_all(self, workload: dict[str, Any]) -> None:
        assert container(workload)["image"] in {one["name"] for one in KUSTOMIZATION["images"]}


def test_the_service_accepts_its_settings() -> None:
    env = environment(named("Deployment", "todo-api"), DATABASE_URL="postgresql://evo_todo_service:x@postgres/evo_todo")
    settings = Settings.from_env(env)
    assert settings.port == container(named("Deployment", "todo-api"))["ports"][0]["containerPort"]
    assert settings.workers == 1
    assert settings.issuer in settings.cors_origins
    assert settings.service_role is None, "the owner's settings are the migration's alone"


def test_the_migration_accepts_its_settings() -> None:
    secrets = {"DATABASE_URL": "postgresql://owner:x@postgres/evo_todo", "EVO_TODO_SERVICE_PASSWORD": "x"}
    settings = Settings.from_env(environment(named("Job", "todo-migrate"), **secrets))
    assert settings.service_role == "evo_todo_service"


def test_the_frontends_settings_exist_and_the_issuer_is_the_same() -> None:
    env = environment(named("Deployment", "todo-web"), DATABASE_URL="x", BETTER_AUTH_SECRETS="x")
    assert set(env) <= SETTINGS_OF_WEB
    assert env["BETTER_AUTH_BASE_URL"] == CONFIG["evo-todo"]["BETTER_AUTH_BASE_URL"]
    assert {"BETTER_AUTH_SECRETS", "DATABASE_URL"} <= set(env)


@pytest.mark.parametrize("name", ["todo-api", "todo-web"])
class TestEveryDeployment:
    def test_its_selectors_find_its_pods(self, name: str) -> None:
        deployment = named("Deployment", name)
        labels = deployment["spec"]["template"]["metadata"]["labels"]
        for selector in (
            deployment["spec"]["selector"]["matchLabels"],
            named("PodDisruptionBudget", name)["spec"]["selector"]["matchLabels"],
            named("Service", name)["spec"]["selector"],
            named("NetworkPolicy", name)["spec"]["podSelector"]["matchLabels"],
            named("NetworkPolicy", "todo-refuse")["spec"]["podSelector"]["matchLabels"],
            pod(deployment)["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"],
        ):
            assert selector.items() <= labels.items()

    def test_an_update_or_a_drain_takes_no_pod_before_another_is_ready(self, name: str) -> None:
        assert named("Deployment", name)["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
        assert named("PodDisruptionBudget", name)["spec"]["maxUnavailable"] == 1

    def test_it_stops_after_the_proxies_have_forgotten_it_and_has_time_to(self, name: str) -> None:
        deployment = named("Deployment", name)
        [command, pause] = container(deployment)["lifecycle"]["preStop"]["exec"]["command"]
        assert command == "sleep"
        assert pod(deployment)["terminationGracePeriodSeconds"] > int(pause) + SHUTDOWN
        assert GRACE < SHUTDOWN

    def test_its_ports_are_the_same_everywhere(self, name: str) -> None:
        [port] = container(named("Deployment", name))["ports"]
        [of_service] = named("Service", name)["spec"]["ports"]
        assert of_service["targetPort"] == port["name"]
        assert of_service["port"] == port["containerPort"]
        [rule] = named("NetworkPolicy", name)["spec"]["ingress"]
        assert rule["ports"] == [{"protocol": "TCP", "port": port["containerPort"]}]


def test_probes_and_metrics_ask_paths_that_exist() -> None:
    api = named("Deployment", "todo-api")
    paths = {route.path for route in ROUTES}
    probes = {
        kind: container(api)[kind]["httpGet"]["path"] for kind in ("startupProbe", "livenessProbe", "readinessProbe")
    }
    assert probes == {"startupProbe": "/livez", "livenessProbe": "/livez", "readinessProbe": "/readyz"}
    annotations = api["spec"]["template"]["metadata"]["annotations"]
    assert {*probes.values(), annotations["prometheus.io/path"]} <= paths
    assert annotations["prometheus.io/port"] == str(container(api)["ports"][0]["containerPort"])


def test_addresses_inside_the_cluster_are_those_of_its_services_and_the_network_lets_them_through() -> None:
    for user, config, setting in (
        ("todo-api", "evo-todo-api", "EVO_TODO_JWKS_URL"),
        ("todo-web", "evo-todo-web", "EVO_TODO_SECURITY_EVENTS_URL"),
    ):
        found = re.fullmatch(r"http://([a-z-]+):(\d+)(/.*)", CONFIG[config][setting])
        assert found is not None
        service = named("Service", found[1])
        assert service["spec"]["ports"][0]["port"] == int(found[2])
        [out] = named("NetworkPolicy", user)["spec"]["egress"]
        assert out["to"] == [{"podSelector": {"matchLabels": {LABEL: found[1]}}}]
        assert out["ports"] == [{"protocol": "TCP", "port": int(found[2])}]
        [into] = named("NetworkPolicy", found[1])["spec"]["ingress"]
        assert {"podSelector": {"matchLabels": {LABEL: user}}} in into["from"]
    assert CONFIG["evo-todo-web"]["EVO_TODO_SECURITY_EVENTS_URL"].endswith("/api/security-events")


def test_pods_are_added_by_processor_time() -> None:
    scaler = named("HorizontalPodAutoscaler", "todo-api")["spec"]
    assert scaler["scaleTargetRef"] == {"apiVersion": "apps/v1", "kind": "Deployment", "name": "todo-api"}
    assert scaler["metrics"][0]["resource"]["name"] == "cpu"
    assert 2 <= scaler["minReplicas"] < scaler["maxReplicas"]
    assert "replicas" not in named("Deployment", "todo-api")["spec"], "an update must not undo the scaling"


def test_kubectl_renders_every_object_where_it_is_installed() -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is not None:
        ended = subprocess.run([kubectl, "kustomize", FOLDER], capture_output=True, text=True, timeout=60, check=False)
        assert ended.returncode == 0, ended.stderr
        rendered = [*yaml.safe_load_all(ended.stdout)]
        assert len(rendered) == len(OBJECTS) + len(CONFIG)
        text = json.dumps(rendered)
        assert all(f'"{image["newName"]}:{image["newTag"]}"' in text for image in KUSTOMIZATION["images"])
    assert KUSTOMIZATION["kind"] == "Kustomization"
