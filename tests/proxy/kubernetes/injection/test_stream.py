"""A stream of documents: pods, the Services that lead to them, and what cannot be told by looking."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lab.manifests import DEPLOYMENT, SERVICE, inject, uninject

from proxy.kubernetes import injection
from proxy.kubernetes.configuration import configuration
from proxy.kubernetes.injection import Injected, InjectionError
from proxy.kubernetes.injection.edits import apply
from proxy.kubernetes.injection.wanted import Configure
from proxy.settings import Flag

BOTH = DEPLOYMENT + SERVICE
PLAIN = {"kubernetes.mode": "plain"}


def test_a_services_port_moves_to_the_sidecar_and_the_apps_is_where_it_sends() -> None:
    done = inject(BOTH)
    assert done.documents[1]["spec"]["ports"] == [{"name": "http", "port": 80, "targetPort": 9080}]
    assert done.variables["INBOUND__APP"] == "http://127.0.0.1:8080"
    assert done.notes == []


def test_the_order_of_documents_does_not_matter() -> None:
    done = inject(SERVICE.removeprefix("---\n") + "---\n" + DEPLOYMENT)
    assert done.documents[0]["spec"]["ports"][0]["targetPort"] == 9080


@pytest.mark.parametrize(
    ("target", "app"),
    [("port: 8080", 8080), ("port: 80, targetPort: 3000", 3000), ("port: 80, targetPort: http", 8080)],
)
def test_a_target_is_a_name_a_number_or_the_port_itself(target: str, app: int) -> None:
    done = inject(BOTH.replace("{name: http, port: 80, targetPort: http}", f"{{{target}}}"))
    assert done.documents[1]["spec"]["ports"][0]["targetPort"] == 9080
    assert done.variables["INBOUND__APP"] == f"http://127.0.0.1:{app}"


def test_other_ports_of_the_service_stay() -> None:
    more = BOTH.replace(
        "- {name: http, containerPort: 8080}",
        "- {name: http, containerPort: 8080}\n        - {name: metrics, containerPort: 9100}",
    )
    done = inject(more + "  - {name: metrics, port: 9100, targetPort: metrics}\n")
    assert [one["targetPort"] for one in done.documents[1]["spec"]["ports"]] == [9080, "metrics"]


@pytest.mark.parametrize(
    "change",
    [
        ("app: orders}\n  ports", "app: other}\n  ports"),
        ("{name: orders}\nspec:\n  selector: {app", "{name: orders, namespace: x}\nspec:\n  selector: {app"),
    ],
)
def test_a_service_that_leads_elsewhere_stays(change: tuple[str, str]) -> None:
    text = BOTH.replace(*change)
    assert text != BOTH
    done = inject(text)
    assert done.text.partition("---\n")[2] == text.partition("---\n")[2]


def test_a_service_that_is_not_there_is_named() -> None:
    assert inject(DEPLOYMENT).notes == [
        "deployment/orders: no Service in the input leads to it; set the targetPort of its Service to 9080"
    ]


def test_a_headless_service_is_told_because_its_callers_go_past() -> None:
    done = inject(
        BOTH.replace("spec:\n  selector: {app: orders}\n", "spec:\n  clusterIP: None\n  selector: {app: orders}\n")
    )
    assert "Service orders is headless" in done.notes[0]
    assert "kubernetes.inbound=redirect" in done.notes[0]


def test_with_redirection_services_stay() -> None:
    done = inject(BOTH, {"kubernetes.inbound": "redirect"})
    assert done.documents[1]["spec"]["ports"][0]["targetPort"] == "http"
    assert done.notes == []


def test_a_pod_without_ports_has_nothing_inbound() -> None:
    done = inject(DEPLOYMENT[: DEPLOYMENT.index("        ports")])
    assert done.variables["INBOUND__LISTEN"] == "off"
    assert [one["name"] for one in done.sidecar["ports"]] == ["ops-health"]
    assert done.notes == ["deployment/orders: declares no port, so nothing is inbound"]


@pytest.mark.parametrize(
    "family", ["ipFamilies: [IPv6]", "ipFamilyPolicy: PreferDualStack", "ipFamilyPolicy: RequireDualStack"]
)
def test_both_families_are_listened_on_where_a_service_has_ipv6(family: str) -> None:
    done = inject(
        BOTH.replace("spec:\n  selector: {app: orders}\n", f"spec:\n  {family}\n  selector: {{app: orders}}\n")
    )
    assert done.variables["INBOUND__LISTEN"] == "0.0.0.0:9080,[::]:9080"
    assert done.variables["ADMIN__PUBLIC_LISTEN"] == "0.0.0.0:9084,[::]:9084"


def test_rules_are_for_the_families_that_are_listened_on() -> None:
    """A pod may have no ::1 at all, and a sidecar that cannot listen there would not start."""
    redirected = {"kubernetes.outbound": "redirect"}
    done = inject(BOTH, redirected)
    assert done.pod["initContainers"][0]["args"][3:5] == ["--family", "ipv4"]
    assert done.variables["OUTBOUND__LISTEN"] == "127.0.0.1:9081"
    done = inject(BOTH, {**redirected, "kubernetes.ip_family": "dual"})
    assert "--family" not in done.pod["initContainers"][0]["args"]
    assert done.variables["OUTBOUND__LISTEN"] == "127.0.0.1:9081,[::1]:9081"


def test_one_family_otherwise_unless_the_settings_say_so() -> None:
    assert "INBOUND__LISTEN" not in inject(BOTH).variables
    assert inject(BOTH, {"kubernetes.ip_family": "dual"}).variables["ADMIN__PUBLIC_LISTEN"].endswith("[::]:9084")


@pytest.mark.parametrize("port", ["{containerPort: 53, protocol: UDP}", "{containerPort: x}", "{name: x}"])
def test_only_tcp_ports_of_the_app_are_looked_at(port: str) -> None:
    """HTTP/3 and DNS are not for a sidecar."""
    more = DEPLOYMENT.replace(
        "- {name: http, containerPort: 8080}", f"- {port}\n        - {{containerPort: 8080, protocol: TCP}}"
    )
    assert inject(more).variables["INBOUND__APP"] == "http://127.0.0.1:8080"


TWO_PORTS = BOTH.replace("{name: http, containerPort: 8080}", "{name: a, containerPort: 8080}").replace(
    "{name: http, port: 80, targetPort: http}", "{name: a, port: 80, targetPort: 8080}\n  - {name: b, port: 81}"
)


def test_of_several_ports_the_one_named_http_is_the_apps() -> None:
    done = inject(TWO_PORTS.replace("{name: b, port: 81}", "{name: http-api, port: 81}"))
    assert done.variables["INBOUND__APP"] == "http://127.0.0.1:81"
    done = inject(TWO_PORTS.replace("{name: b, port: 81}", "{name: b, port: 81, appProtocol: http}"))
    assert done.variables["INBOUND__APP"] == "http://127.0.0.1:81"


def test_where_that_cannot_be_told_the_message_says_how_to_say_it() -> None:
    with pytest.raises(InjectionError) as caught:
        inject(TWO_PORTS)
    assert str(caught.value) == (
        "deployment/orders: ports 80, 81: which of them speaks HTTP? Name that port http, or annotate the pod with "
        "ops-sidecar/settings: inbound.app=http://127.0.0.1:PORT"
    ).replace("80, 81", "81, 8080")


ANNOTATED = BOTH.replace(
    "      labels: {app: orders}\n    spec",
    "      labels: {app: orders}\n      annotations:\n        ops-sidecar/settings: |\n"
    "          # the app's own\n          inbound.app=http://127.0.0.1:3000\n"
    "          kubernetes.cpu_request=1\n    spec",
)


def test_a_pods_annotation_is_laid_over_the_settings() -> None:
    done = inject(ANNOTATED, {"kubernetes.cpu_request": "2", "outbound.propagation.inject": "b3"})
    assert done.variables["INBOUND__APP"] == "http://127.0.0.1:3000"
    assert done.variables["OUTBOUND__PROPAGATION__INJECT"] == "b3"
    assert done.sidecar["resources"]["requests"]["cpu"] == "1"
    assert "KUBERNETES" not in " ".join(done.variables)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (
            "inbound.app=ftp://x",
            "deployment/orders: inbound.app = ftp://x (from annotation ops-sidecar/settings inbound.app)",
        ),
        ("inbound", "deployment/orders: ops-sidecar/settings = inbound (from annotation): expected lines KEY=VALUE"),
        ("kubernetes.memory_limit=lots", "expected a quantity as Kubernetes writes it"),
    ],
)
def test_a_wrong_annotation_is_an_error_that_names_the_workload(line: str, told: str) -> None:
    with pytest.raises(InjectionError) as caught:
        inject(ANNOTATED.replace("inbound.app=http://127.0.0.1:3000", line))
    assert told in str(caught.value)


@pytest.mark.parametrize(
    ("port", "key"),
    [(9080, "inbound.listen"), (9081, "outbound.listen"), (9082, "admin.listen"), (9084, "health_port")],
)
def test_a_port_that_both_want_is_an_error_that_names_the_key(port: int, key: str) -> None:
    with pytest.raises(InjectionError, match=rf"the app has port {port} itself.*{key}"):
        inject(BOTH.replace("8080", str(port)))


@pytest.mark.parametrize("where", ["      securityContext: {runAsUser: 61080}\n      containers", None])
def test_a_user_that_both_have_is_an_error_where_rules_tell_them_apart(where: str | None) -> None:
    """Else the app's calls would be taken for the sidecar's own, and would silently go past it."""
    text = (
        BOTH.replace("      containers", where)
        if where
        else f"{DEPLOYMENT}        securityContext: {{runAsUser: 61080}}\n"
    )
    with pytest.raises(InjectionError, match=r"container orders runs as user 61080, .*kubernetes.run_as_user"):
        inject(text, {"kubernetes.outbound": "redirect"})
    assert inject(text, {"kubernetes.outbound": "redirect", "kubernetes.run_as_user": "61081"}).sidecar
    assert inject(text).sidecar


JOB = DEPLOYMENT.replace("apps/v1", "batch/v1").replace("Deployment", "Job")


def test_a_plain_sidecar_in_a_job_is_an_error_since_it_would_never_complete() -> None:
    with pytest.raises(InjectionError, match=r"job/orders: .* would never complete; use kubernetes.mode=native"):
        inject(JOB, PLAIN)
    assert inject(JOB).sidecar["restartPolicy"] == "Always"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            ("labels: {app: orders}\n    spec", "labels: {app: orders, ops-sidecar/inject: disabled}\n    spec"),
            "disabled",
        ),
        (("      containers", "      hostNetwork: true\n      containers"), "hostNetwork"),
        (("      containers", "      os: {name: windows}\n      containers"), "Windows"),
    ],
)
def test_what_is_left_alone_is_told(change: tuple[str, str], reason: str) -> None:
    text = DEPLOYMENT.replace(*change)
    assert text != DEPLOYMENT
    done = inject(text)
    assert done.text == text
    assert reason in done.notes[0]


def test_one_that_is_disabled_later_loses_its_sidecar() -> None:
    done = inject(BOTH).text
    text = inject(done.replace("labels: {app: orders,", "labels: {app: orders, ops-sidecar/inject: disabled,")).text
    assert "name: ops-sidecar\n" not in text
    assert "targetPort: http" in text


@pytest.mark.parametrize("settings", [{}, PLAIN, {"kubernetes.inbound": "redirect", "kubernetes.outbound": "redirect"}])
def test_twice_is_once_and_undone_is_as_before(settings: dict[str, str]) -> None:
    once = inject(BOTH, settings)
    assert once.text != BOTH
    assert inject(once.text, settings).text == once.text
    assert inject(once.text, settings).notes == once.notes
    assert uninject(once.text) == BOTH
    assert uninject(BOTH) == BOTH


def test_injecting_again_with_other_settings_updates() -> None:
    first = inject(BOTH, {"inbound.listen": "0.0.0.0:7000"})
    assert first.documents[1]["spec"]["ports"][0]["targetPort"] == 7000
    assert inject(first.text, PLAIN).documents == inject(BOTH, PLAIN).documents


def test_a_list_is_looked_into() -> None:
    item = DEPLOYMENT.replace("\n", "\n  ").rstrip()
    text = f"apiVersion: v1\nkind: List\nitems:\n- {item}\n"
    spec = inject(text).documents[0]["items"][0]["spec"]["template"]["spec"]
    assert spec["initContainers"][0]["name"] == "ops-sidecar"
    assert uninject(inject(text).text) == text


def test_a_service_of_another_api_group_is_not_one() -> None:
    text = SERVICE.removeprefix("---\n").replace("apiVersion: v1", "apiVersion: serving.knative.dev/v1")
    assert inject(text).text == text


_PORTS = st.lists(
    st.fixed_dictionaries(
        {"containerPort": st.sampled_from([80, 3000, 8080])}, optional={"name": st.sampled_from(["http", "web", "x"])}
    ),
    max_size=2,
)
_ENV = st.lists(
    st.sampled_from([{"name": "A", "value": "on"}, {"name": "NO_PROXY", "value": "x"}, {"name": "HTTP_PROXY"}]),
    max_size=2,
)
_CONTAINER = st.fixed_dictionaries({}, optional={"ports": _PORTS, "env": _ENV, "image": st.just("a:1")})
_SERVICE_PORTS = st.lists(
    st.fixed_dictionaries(
        {"port": st.sampled_from([80, 8080])}, optional={"targetPort": st.sampled_from([80, 3000, "http", "none"])}
    ),
    max_size=2,
    unique_by=lambda port: port["port"],
)


@given(
    containers=st.lists(_CONTAINER, min_size=1, max_size=2),
    inits=st.none() | st.lists(_CONTAINER, max_size=1),
    more=st.fixed_dictionaries(
        {}, optional={"volumes": st.just([]), "terminationGracePeriodSeconds": st.integers(0, 90)}
    ),
    metadata=st.fixed_dictionaries({"labels": st.just({"app": "a"})}, optional={"annotations": st.just({"b": "c"})}),
    ports=_SERVICE_PORTS,
    mode=st.sampled_from(["native", "plain"]),
    inbound=st.sampled_from(["service", "redirect", "off"]),
    outbound=st.sampled_from(["proxy", "redirect", "off"]),
)
def test_whatever_goes_in_comes_out_again_and_goes_in_once(
    containers: list[dict[str, Any]],
    inits: list[dict[str, Any]] | None,
    more: dict[str, Any],
    metadata: dict[str, Any],
    ports: list[dict[str, Any]],
    mode: str,
    inbound: str,
    outbound: str,
) -> None:
    """Laws: uninject after inject is what was there; inject after inject is inject."""
    for number, one in enumerate([*containers, *(inits or ())]):
        one["name"] = f"c{number}"
    spec = {"containers": containers, **({} if inits is None else {"initContainers": inits}), **more}
    workload = {"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "a"}, "spec": {}}
    workload["spec"] = {"template": {"metadata": metadata, "spec": spec}}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "a"}, "spec": {"ports": ports}}
    service["spec"]["selector"] = {"app": "a"}  # type: ignore[index]  # a mapping
    documents = [workload, service]
    configure = _configured(mode, inbound, outbound)
    try:
        once = edited(documents, injection.inject(documents, configure))
    except InjectionError as error:
        assert "which of them speaks HTTP?" in str(error)
        return
    assert injection.inject(once, configure).edits == {}
    assert edited(once, injection.uninject(once)) == documents


def edited(documents: list[Any], changes: Injected) -> list[Any]:
    """The documents, with the edits carried out."""
    documents = copy.deepcopy(documents)
    for number, edits in changes.edits.items():
        apply(documents[number], edits)
    return documents


@cache
def _configured(mode: str, inbound: str, outbound: str) -> Configure:
    values = {"mode": mode, "inbound": inbound, "outbound": outbound}
    return configuration(None, [Flag(("kubernetes", key), value, key) for key, value in values.items()])
