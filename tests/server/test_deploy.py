"""What is given for several servers is so: files of proxies, containers and Kubernetes name what exists, and fit."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from server import cli
from server.settings import Settings
from tests.conftest import ROOT
from tests.servers import served

DEPLOY = ROOT / "deploy"
COMPOSE, KUBERNETES = DEPLOY / "compose", DEPLOY / "kubernetes"
TOKENS = "anna 0123456789abcdef 8\n"
SYSTEM = "/usr/sbin:/usr/local/sbin:/usr/bin:/usr/local/bin"
yaml = pytest.importorskip("yaml", reason="needs PyYAML")


def read(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return dict(read(COMPOSE / "compose.yaml"))


@pytest.fixture(scope="module")
def pod() -> dict[str, Any]:
    return dict(read(KUBERNETES / "deployment.yaml")["spec"]["template"]["spec"])


def settings_of(environment: dict[str, str], folder: Path) -> Settings:
    """What a server makes of an environment, if the file of tokens is there."""
    (folder / "tokens").write_text(TOKENS)
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    image = dict(re.findall(r"\b(SEQ2DRUM_[A-Z_]+)=(\S+)", text))
    chosen = cli.read_settings({}, {**image, **environment, "SEQ2DRUM_TOKEN_FILE": str(folder / "tokens")})
    assert chosen.host == "0.0.0.0" and chosen.web_port is None
    return chosen


def names_of_settings(environment: dict[str, str]) -> set[str]:
    from server import settings

    known = {settings.variable(name) for name in (*settings.table(), "token_file")}
    return set(environment) - known


def seconds(text: str) -> float:
    return float(text.removesuffix("s"))


# --- containers -------------------------------------------------------------------------------------------------------


def test_three_containers_serve_the_same_and_are_given_time_to_drain(compose: dict[str, Any], tmp_path: Path) -> None:
    servers = {name: service for name, service in compose["services"].items() if name.startswith("drummer-")}
    assert len(servers) == 3
    for service in servers.values():
        assert not names_of_settings(service["environment"])
        chosen = settings_of(service["environment"], tmp_path)
        assert chosen.tokens[0].calls == 8 and chosen.drain_delay_seconds > 0
        assert seconds(service["stop_grace_period"]) > chosen.drain_delay_seconds + chosen.grace_seconds
        assert service["read_only"] and service["cap_drop"] == ["ALL"] and service["user"] == "10001:10001"
        assert "ports" not in service and service["networks"] == ["inside"]
    assert compose["networks"]["inside"]["internal"]
    opened = [port for service in compose["services"].values() for port in service.get("ports", ())]
    assert opened and all(port.startswith("127.0.0.1:") for port in opened)


def test_what_containers_mount_is_there_and_nothing_else_is_shown(compose: dict[str, Any]) -> None:
    for service in compose["services"].values():
        for volume in service.get("volumes", ()):
            source, _, rest = volume.partition(":")
            if source.startswith("."):
                assert (COMPOSE / source).exists() and rest.endswith(":ro"), volume
            else:
                assert source in compose["volumes"]
    assert ".." not in compose["secrets"]["tokens"]["file"]


def test_proxy_and_figures_go_to_the_servers_that_there_are(compose: dict[str, Any], tmp_path: Path) -> None:
    servers = [name for name in compose["services"] if name.startswith("drummer-")]
    chosen = settings_of(compose["services"][servers[0]]["environment"], tmp_path)
    (scraped,) = read(COMPOSE / "prometheus.yaml")["scrape_configs"]
    assert scraped["static_configs"][0]["targets"] == [f"{name}:{chosen.metrics_port}" for name in servers]
    (cluster,) = read(COMPOSE / "envoy.yaml")["static_resources"]["clusters"]
    places = [
        entry["endpoint"]["address"]["socket_address"]
        for entry in cluster["load_assignment"]["endpoints"][0]["lb_endpoints"]
    ]
    assert [(place["address"], place["port_value"]) for place in places] == [(name, chosen.port) for name in servers]
    assert cluster["lb_policy"] == "LEAST_REQUEST" and cluster["health_checks"][0]["grpc_health_check"] == {}
    interval = seconds(cluster["health_checks"][0]["interval"]) + seconds(cluster["health_checks"][0]["timeout"])
    assert interval < chosen.drain_delay_seconds, "it hears of the end before calls are refused"


@pytest.mark.slow
def test_envoys_file_is_one_of_its_interface() -> None:
    pytest.importorskip("envoy.config.bootstrap.v3.bootstrap_pb2", reason="needs xds-protos")
    from envoy.config.bootstrap.v3 import bootstrap_pb2
    from envoy.extensions.filters.http.router.v3 import router_pb2
    from envoy.extensions.filters.network.http_connection_manager.v3 import http_connection_manager_pb2
    from envoy.extensions.retry.host.previous_hosts.v3 import previous_hosts_pb2
    from envoy.extensions.upstreams.http.v3 import http_protocol_options_pb2
    from google.protobuf import json_format

    assert router_pb2 and http_protocol_options_pb2 and previous_hosts_pb2  # which are named in the file by their types
    found = json_format.ParseDict(read(COMPOSE / "envoy.yaml"), bootstrap_pb2.Bootstrap())
    manager = http_connection_manager_pb2.HttpConnectionManager()
    found.static_resources.listeners[0].filter_chains[0].filters[0].typed_config.Unpack(manager)
    retry = manager.route_config.virtual_hosts[0].routes[0].route.retry_policy
    assert "resource" not in retry.retry_on and "unavailable" in retry.retry_on.split(",")


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("check-jsonschema"), reason="needs check-jsonschema")
@pytest.mark.parametrize("path", [COMPOSE / "compose.yaml", ROOT / "compose.yaml"])
def test_the_containers_are_as_compose_files_are(path: Path) -> None:
    command = ["check-jsonschema", "--builtin-schema", "vendor.compose-spec", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


# --- Kubernetes -------------------------------------------------------------------------------------------------------


def test_a_pod_is_given_time_to_drain_and_no_rights(pod: dict[str, Any], tmp_path: Path) -> None:
    (container,) = pod["containers"]
    environment = {entry["name"]: entry["value"] for entry in container["env"]}
    assert not names_of_settings(environment)
    chosen = settings_of(environment, tmp_path)
    before = container["lifecycle"]["preStop"]["sleep"]["seconds"]
    assert pod["terminationGracePeriodSeconds"] > before + chosen.drain_delay_seconds + chosen.grace_seconds
    assert {port["name"]: port["containerPort"] for port in container["ports"]} == {
        "grpc": chosen.port,
        "metrics": chosen.metrics_port,
    }
    for probe in ("startupProbe", "readinessProbe"):
        assert container[probe]["grpc"] == {"port": chosen.port}
    assert pod["securityContext"]["runAsNonRoot"] and pod["securityContext"]["runAsUser"] == 10001
    assert container["securityContext"]["readOnlyRootFilesystem"]
    assert not container["securityContext"]["allowPrivilegeEscalation"]
    mounted = {entry["mountPath"] for entry in container["volumeMounts"]}
    assert {str(Path(path).parent) for path in (environment["SEQ2DRUM_TOKEN_FILE"], chosen.state_file)} < mounted


def test_each_part_is_of_the_same_servers_and_scaling_goes_by_a_figure_that_there_is() -> None:
    parts = read(KUBERNETES / "kustomization.yaml")
    files = {path.name for path in KUBERNETES.glob("*.yaml")} - {"kustomization.yaml"}
    assert set(parts["resources"]) == files
    (label,) = parts["labels"][0]["pairs"].items()
    network = read(KUBERNETES / "network.yaml")["spec"]
    assert network["podSelector"]["matchLabels"] == dict([label]), "it is of these pods and of no others"
    assert read(KUBERNETES / "service.yaml")["spec"]["clusterIP"] == "None"
    scaling = read(KUBERNETES / "scaling.yaml")["spec"]
    assert scaling["metrics"][0]["pods"]["metric"]["name"] in figures()
    assert scaling["minReplicas"] >= 3 and read(KUBERNETES / "disruption.yaml")["spec"]["maxUnavailable"] == 1


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("kubectl"), reason="needs kubectl")
def test_kubernetes_takes_all_parts(tmp_path: Path) -> None:
    pytest.importorskip("kubernetes_validate", reason="needs kubernetes-validate")
    built = subprocess.run(["kubectl", "kustomize", str(KUBERNETES)], capture_output=True, text=True, timeout=120)
    assert built.returncode == 0, built.stderr
    (tmp_path / "all.yaml").write_text(built.stdout)
    kinds = {part["kind"]: part for part in yaml.safe_load_all(built.stdout)}
    assert set(kinds) == {
        "Deployment",
        "Service",
        "PodDisruptionBudget",
        "HorizontalPodAutoscaler",
        "NetworkPolicy",
    }
    labels = kinds["Deployment"]["spec"]["template"]["metadata"]["labels"]
    assert kinds["Service"]["spec"]["selector"] == labels
    assert kinds["PodDisruptionBudget"]["spec"]["selector"]["matchLabels"] == labels
    command = [sys.executable, "-m", "kubernetes_validate", "--strict", "-k", "1.32", str(tmp_path / "all.yaml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{done.stdout}{done.stderr}".count("passed for resource") == len(kinds)


# --- proxies and figures ----------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "file", "flags"), [("nginx", "nginx.conf", "-t -c"), ("haproxy", "haproxy.cfg", "-c -f")]
)
def test_the_proxies_find_nothing_wrong_with_their_files(name: str, file: str, flags: str, tmp_path: Path) -> None:
    program = shutil.which(name, path=SYSTEM)
    if program is None:
        pytest.skip(f"needs {name}")
    text = (DEPLOY / "proxies" / file).read_text(encoding="utf-8")
    (tmp_path / file).write_text(text.replace("/run/seq2drum-nginx.pid", str(tmp_path / "pid")))
    done = subprocess.run([program, *flags.split(), str(tmp_path / file)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0 and "warn" not in done.stderr.lower(), done.stderr


def test_the_board_shows_figures_that_there_are() -> None:
    board = json.loads((COMPOSE / "grafana" / "boards" / "seq2drum.json").read_text(encoding="utf-8"))
    asked = " ".join(target["expr"] for panel in board["panels"] for target in panel["targets"])
    named = set(re.findall(r"seq2drum_[a-z_]+", asked))
    assert len(named) > 8
    assert named <= figures()
    (source,) = read(COMPOSE / "grafana" / "provisioning" / "datasources" / "prometheus.yaml")["datasources"]
    assert {panel["datasource"]["uid"] for panel in board["panels"]} == {source["uid"]}


def figures() -> set[str]:
    """The names of a server's figures, as Prometheus has them."""

    async def run() -> set[str]:
        async with served() as server:
            names = set[str]()
            for family in server.metrics.registry.collect():
                plain = f"{family.name}_total" if family.type == "counter" else family.name
                names |= {plain, f"{plain}_bucket"} if family.type == "histogram" else {plain}
            return names

    return asyncio.run(run())
