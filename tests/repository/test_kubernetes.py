"""The manifests of `deploy/kubernetes/`: valid for Kubernetes, consistent with each other and with the server."""

from __future__ import annotations

import re
from dataclasses import fields
from typing import Any

import kubernetes_validate
import pytest
import yaml

from scripts.container_steps import instructions
from signalbox.webapp.api.openapi import describe
from signalbox.webapp.app import create_app
from signalbox.webapp.settings import Settings, variable
from tests.support.paths import ROOT

FOLDER = ROOT / "deploy" / "kubernetes"
FILES = sorted(FOLDER.rglob("*.yaml"))
VERSIONS = ("1.30", "1.33", "1.37")
"""An older version of Kubernetes, one in between, and the newest whose schemas are installed."""
STOP_SECONDS = 5
"""Seconds within which a server exits after its drain delay, on a busy machine."""

Manifest = dict[str, Any]


def documents() -> list[Manifest]:
    return [document for file in FILES for document in yaml.safe_load_all(file.read_text())]


def only(kind: str) -> Manifest:
    (found,) = (document for document in documents() if document["kind"] == kind)
    return found


@pytest.fixture(scope="module")
def pod() -> Manifest:
    template: Manifest = only("Deployment")["spec"]["template"]
    return template


@pytest.fixture(scope="module")
def container(pod: Manifest) -> Manifest:
    (found,) = pod["spec"]["containers"]
    result: Manifest = found
    return result


@pytest.mark.parametrize("version", VERSIONS)
def test_every_manifest_is_valid_for_kubernetes(version: str) -> None:
    for document in documents():
        kubernetes_validate.validate(document, version, strict=True)


def test_the_service_and_the_budget_select_the_pods_of_the_deployment(pod: Manifest) -> None:
    labels = pod["metadata"]["labels"]
    assert only("Deployment")["spec"]["selector"]["matchLabels"] == labels
    assert only("Service")["spec"]["selector"] == labels
    assert only("PodDisruptionBudget")["spec"]["selector"]["matchLabels"] == labels
    (spread,) = pod["spec"]["topologySpreadConstraints"]
    assert spread["labelSelector"]["matchLabels"] == labels
    # Otherwise the service would send requests to the pod that creates the first account.
    assert only("Pod")["metadata"]["labels"] != labels


def test_the_ingress_leads_through_the_service_to_the_port_of_the_server(container: Manifest) -> None:
    (rule,) = only("Ingress")["spec"]["rules"]
    (path,) = rule["http"]["paths"]
    backend = path["backend"]["service"]
    service = only("Service")
    (port,) = service["spec"]["ports"]
    assert (backend["name"], backend["port"]["name"]) == (service["metadata"]["name"], port["name"])
    (listens,) = container["ports"]
    assert port["targetPort"] == listens["name"]
    exposed = dict(instructions((ROOT / "Containerfile").read_text()))["EXPOSE"]
    assert listens["containerPort"] == int(exposed)
    assert rule["host"] == only("ConfigMap")["data"]["SIGNALBOX_ALLOWED_HOSTS"]
    assert rule["host"] in only("Ingress")["spec"]["tls"][0]["hosts"]


def test_the_probes_ask_routes_that_need_no_log_in(container: Manifest) -> None:
    public = {path for path, item in describe(create_app(Settings()))["paths"].items() if "get" in item}
    probes = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert {probe["port"] for probe in probes.values()} == {container["ports"][0]["name"]}
    assert {probe["path"] for probe in probes.values()} <= public
    # A process must not be killed because the database cannot be reached.
    assert probes["liveness"]["path"] == "/healthz"
    assert probes["readiness"]["path"] == "/readyz"


def test_a_stopping_pod_has_time_to_drain(pod: Manifest, container: Manifest) -> None:
    delay = float(only("ConfigMap")["data"]["SIGNALBOX_DRAIN_DELAY"])
    readiness = container["readinessProbe"]
    assert delay >= readiness["periodSeconds"] * readiness["failureThreshold"] + readiness["timeoutSeconds"]
    assert pod["spec"]["terminationGracePeriodSeconds"] >= delay + STOP_SECONDS


def test_an_update_and_a_drained_node_leave_processes_that_serve() -> None:
    spec = only("Deployment")["spec"]
    assert spec["strategy"]["rollingUpdate"]["maxUnavailable"] == 0
    assert only("PodDisruptionBudget")["spec"]["maxUnavailable"] < spec["replicas"]


def test_the_settings_exist_and_the_secret_ones_are_in_no_manifest(container: Manifest) -> None:
    known = {variable(spec) for spec in fields(Settings)}
    config = only("ConfigMap")
    assert config["data"].keys() <= known
    assert not {"SIGNALBOX_STORE_URL", "SIGNALBOX_BUS_URL"} & config["data"].keys()
    text = "".join(file.read_text() for file in FILES)
    assert "kind: Secret" not in text
    assert not re.search(r"\w+://[^/\s]*:[^/\s]*@", text), "a URL with a password"
    for one in (container, only("Pod")["spec"]["containers"][0]):
        assert one["envFrom"] == [{"configMapRef": {"name": "signalbox"}}, {"secretRef": {"name": "signalbox"}}]
        assert "env" not in one


def test_every_pod_runs_as_the_user_of_the_image_without_rights(pod: Manifest) -> None:
    user = int(dict(instructions((ROOT / "Containerfile").read_text()))["USER"].partition(":")[0])
    for spec in (pod["spec"], only("Pod")["spec"]):
        assert spec["securityContext"]["runAsUser"] == user
        assert spec["securityContext"]["runAsNonRoot"] is True
        assert spec["automountServiceAccountToken"] is False
        # The variables of a service named `signalbox` begin like those of the settings.
        assert spec["enableServiceLinks"] is False
        (one,) = spec["containers"]
        assert one["securityContext"]["readOnlyRootFilesystem"] is True
        assert one["securityContext"]["capabilities"] == {"drop": ["ALL"]}
