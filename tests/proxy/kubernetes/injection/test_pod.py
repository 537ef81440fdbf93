"""One pod: what goes in, what comes out again, what is left alone."""

from __future__ import annotations

import copy
from importlib.metadata import version
from typing import Any

import pytest

from proxy.kubernetes.configuration import configuration
from proxy.kubernetes.injection.container import Fit, inbound_port, outbound_port
from proxy.kubernetes.injection.edits import Draft, apply
from proxy.kubernetes.injection.pod import is_injected, put_in, take_out
from proxy.kubernetes.injection.wanted import Wanted
from proxy.settings import Flag

FIT = Fit(8080, "orders", False)
POD: dict[str, Any] = {"spec": {"containers": [{"name": "app", "image": "app:1"}]}}


def wanted(**settings: str) -> Wanted:
    return configuration(None, [Flag(tuple(key.split(".")), value, key) for key, value in settings.items()])("")


def put(pod: dict[str, Any], **settings: str) -> dict[str, Any]:
    draft = Draft(pod)
    put_in(draft, wanted(**settings), FIT)
    done = copy.deepcopy(pod)
    apply(done, draft.edits)
    assert done == draft.document  # the edits alone say all of it
    return done


def test_a_native_sidecar_is_the_first_init_container_and_goes_on_running() -> None:
    spec = put({"spec": {"initContainers": [{"name": "migrate"}], **POD["spec"]}})["spec"]
    assert [one["name"] for one in spec["initContainers"]] == ["ops-sidecar", "migrate"]
    assert spec["initContainers"][0]["restartPolicy"] == "Always"
    assert [one["name"] for one in spec["containers"]] == ["app"]


def test_of_several_addresses_the_first_is_where_others_reach_the_sidecar() -> None:
    both = wanted(**{"inbound.listen": "0.0.0.0:7000,0.0.0.0:7001", "outbound.listen": "127.0.0.1:7002,127.0.0.1:7003"})
    assert (inbound_port(both), outbound_port(both)) == (7000, 7002)
    assert inbound_port(wanted(**{"inbound.listen": "off"})) == 0
    assert outbound_port(wanted(**{"outbound.listen": "off"})) == 0


def test_a_plain_sidecar_is_a_container_beside_the_apps() -> None:
    spec = put(POD, **{"kubernetes.mode": "plain"})["spec"]
    assert [one["name"] for one in spec["containers"]] == ["app", "ops-sidecar"]
    assert "restartPolicy" not in spec["containers"][1]
    assert "initContainers" not in spec


@pytest.mark.parametrize("mode", ["native", "plain"])
def test_no_probe_of_the_sidecar_asks_for_the_app(mode: str) -> None:
    """A native sidecar has started before the app: a startup probe that waited for it would wait for ever."""
    spec = put(POD, **{"kubernetes.mode": mode})["spec"]
    sidecar = next(one for key in spec for one in spec[key] if isinstance(one, dict) and one["name"] == "ops-sidecar")
    for probe, path in (("startupProbe", "/healthz"), ("readinessProbe", "/readyz"), ("livenessProbe", "/healthz")):
        assert sidecar[probe]["httpGet"] == {"path": path, "port": 9084}


def test_the_apps_own_containers_keep_their_probes() -> None:
    probes = {"readinessProbe": {"httpGet": {"port": 8080}}, "livenessProbe": {"tcpSocket": {"port": "http"}}}
    pod = {"spec": {"containers": [{"name": "app", **probes}]}}
    app = put(pod)["spec"]["containers"][0]
    assert {key: app[key] for key in probes} == probes


def test_in_native_mode_the_linger_ends_at_once() -> None:
    def linger(mode: str, where: str) -> set[tuple[str, str]]:
        container = put(POD, **{"kubernetes.mode": mode})["spec"][where][-1]
        return {(one["name"], one["value"]) for one in container["env"] if "DRAIN" in one["name"]}

    ended = {("OPS_SIDECAR_DRAIN__GRACE_S", "0"), ("OPS_SIDECAR_DRAIN__OUTBOUND_LINGER_S", "0")}
    assert linger("native", "initContainers") == ended
    assert linger("plain", "containers") == set()


@pytest.mark.parametrize(
    ("before", "settings", "after"),
    [
        (None, {}, None),  # native: the app has gone before the sidecar is told to stop
        (None, {"export.endpoint": "http://collector:4318", "export.flush_s": "7"}, 37),
        (60, {"export.endpoint": "http://collector:4318", "export.flush_s": "7"}, 67),
        (None, {"kubernetes.mode": "plain"}, 32),
        (None, {"kubernetes.mode": "plain", "drain.grace_s": "5", "drain.timeout_s": "60"}, 67),
        (120, {"kubernetes.mode": "plain"}, 120),
    ],
)
def test_the_time_to_stop_is_enough_for_the_settings(before: int | None, settings: dict[str, str], after: int) -> None:
    given = {} if before is None else {"terminationGracePeriodSeconds": before}
    pod = {"spec": {**given, **POD["spec"]}}
    assert put(pod, **settings)["spec"].get("terminationGracePeriodSeconds") == after


def test_resources_and_user_come_from_the_settings() -> None:
    sizes = {"cpu_request": "10m", "memory_request": "", "cpu_limit": "2", "memory_limit": "1Gi", "run_as_user": "1234"}
    sidecar = put(POD, **{f"kubernetes.{key}": value for key, value in sizes.items()})["spec"]["initContainers"][0]
    assert sidecar["resources"] == {"requests": {"cpu": "10m"}, "limits": {"cpu": "2", "memory": "1Gi"}}
    assert sidecar["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 1234,
        "runAsGroup": 1234,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def test_image_and_pull_policy() -> None:
    sidecar = put(POD, **{"kubernetes.image": "r.internal/s:2", "kubernetes.pull_policy": "Always"})["spec"]
    assert sidecar["initContainers"][0]["image"] == "r.internal/s:2"
    assert sidecar["initContainers"][0]["imagePullPolicy"] == "Always"
    assert put(POD)["spec"]["initContainers"][0]["image"] == f"ops-sidecar:{version('ops-sidecar')}"


def test_the_port_for_health() -> None:
    sidecar = put(POD, **{"kubernetes.health_port": "7777"})["spec"]["initContainers"][0]
    assert {"name": "OPS_SIDECAR_ADMIN__PUBLIC_LISTEN", "value": "0.0.0.0:7777"} in sidecar["env"]
    assert sidecar["readinessProbe"]["httpGet"]["port"] == 7777


def test_which_ports_are_redirected() -> None:
    settings = {
        "kubernetes.outbound": "redirect",
        "kubernetes.redirect_ports": "80,3000",
        "outbound.listen": "127.0.0.1:7",
    }
    assert put(POD, **settings)["spec"]["initContainers"][0]["args"][5:] == ["--outbound", "80,3000:7"]


def test_a_config_map_is_mounted_as_a_folder() -> None:
    """A single file (`subPath`) would never change in a running pod."""
    spec = put(POD, **{"kubernetes.config_map": "settings"})["spec"]
    assert spec["volumes"] == [{"name": "ops-sidecar-settings", "configMap": {"name": "settings"}}]
    mounted = {"name": "ops-sidecar-settings", "mountPath": "/etc/ops-sidecar", "readOnly": True}
    assert spec["initContainers"][0]["volumeMounts"] == [mounted]
    assert {"name": "OPS_SIDECAR_CONFIG", "value": "/etc/ops-sidecar/sidecar.yaml"} in spec["initContainers"][0]["env"]


def test_the_app_is_told_of_the_proxy_but_for_itself_and_for_credentials() -> None:
    app = put(POD)["spec"]["containers"][0]
    variables = {one["name"]: one["value"] for one in app["env"]}
    assert variables["HTTP_PROXY"] == variables["http_proxy"] == "http://127.0.0.1:9081"
    assert variables["NO_PROXY"] == variables["no_proxy"]
    assert {"localhost", "127.0.0.1", "169.254.169.254"} <= set(variables["NO_PROXY"].split(","))


def test_a_proxy_of_the_apps_own_stays_and_is_told() -> None:
    draft = Draft({"spec": {"containers": [{"name": "app", "env": [{"name": "http_proxy", "value": "http://p:1"}]}]}})
    notes = put_in(draft, wanted(), FIT)
    assert notes == ["container app has its own HTTP_PROXY, which stays: its calls do not pass the sidecar"]
    assert draft.document["spec"]["containers"][0]["env"] == [{"name": "http_proxy", "value": "http://p:1"}]


def test_rules_are_set_by_an_init_container_that_alone_may_change_the_network() -> None:
    settings = {"kubernetes.outbound": "redirect", "kubernetes.inbound": "redirect"}
    spec = put(POD, **settings)["spec"]
    rules, sidecar = spec["initContainers"]
    assert rules["name"] == "ops-sidecar-redirect"
    assert rules["args"] == [
        "redirect",
        "--uid",
        "61080",
        "--family",
        "ipv4",
        "--inbound",
        "8080:9080",
        "--outbound",
        "80,8080:9081",
    ]
    assert rules["securityContext"]["capabilities"] == {"drop": ["ALL"], "add": ["NET_ADMIN"]}
    assert sidecar["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert {"name": "OPS_SIDECAR_OUTBOUND__TRANSPARENT", "value": "true"} in sidecar["env"]
    assert "env" not in spec["containers"][0]


def test_with_a_plain_sidecar_rules_come_after_every_other_init_container() -> None:
    """Until the sidecar runs, nobody would take what they redirect."""
    pod = {"spec": {"initContainers": [{"name": "migrate"}], **POD["spec"]}}
    spec = put(pod, **{"kubernetes.mode": "plain", "kubernetes.outbound": "redirect"})["spec"]
    assert [one["name"] for one in spec["initContainers"]] == ["migrate", "ops-sidecar-redirect"]


@pytest.mark.parametrize("settings", [{}, {"kubernetes.mode": "plain", "kubernetes.outbound": "redirect"}])
@pytest.mark.parametrize(
    "pod",
    [
        POD,
        {"metadata": {}, "spec": {"containers": [{"name": "app", "env": []}], "initContainers": [], "volumes": []}},
        {
            "metadata": {"labels": {"a": "b"}, "annotations": {"c": "d"}},
            "spec": {
                "terminationGracePeriodSeconds": 10,
                "containers": [{"name": "app", "env": [{"name": "A", "value": "b"}]}, {"name": "other"}],
                "volumes": [{"name": "v"}],
            },
        },
    ],
)
def test_taking_out_undoes_putting_in(pod: dict[str, Any], settings: dict[str, str]) -> None:
    before = copy.deepcopy(pod)
    done = put(pod, **{"kubernetes.config_map": "settings", **settings})
    assert pod == before
    assert is_injected(done)
    draft = Draft(done)
    take_out(draft)
    assert draft.document == before
    assert not is_injected(draft.document)


@pytest.mark.parametrize("before", ["{", "[]", "5", '{"env": null}'])
def test_it_is_taken_out_whatever_became_of_our_note(before: str) -> None:
    """Variables and the time to stop cannot be given back then."""
    done = put(POD)
    done["metadata"]["annotations"]["ops-sidecar/before"] = before
    draft = Draft(done)
    take_out(draft)
    assert not is_injected(draft.document)
    assert draft.document["spec"]["initContainers"] == []


def test_the_ports_of_the_sidecar_are_told() -> None:
    """Services may name them."""
    (sidecar,) = put(POD)["spec"]["initContainers"]
    assert sidecar["ports"] == [
        {"name": "ops-inbound", "containerPort": 9080, "protocol": "TCP"},
        {"name": "ops-health", "containerPort": 9084, "protocol": "TCP"},
    ]
