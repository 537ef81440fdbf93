"""One pod as the API server shows it to the webhook: the patch only adds, the pod is valid, and nobody is refused."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from lab.admission import Pod, Webhook, admit, check_pod, patched, through_older_types

from proxy.kubernetes.configuration import configuration
from proxy.kubernetes.webhook.admission import ReviewError, Verdict, _service_name, judge, review
from proxy.settings import Flag

DEFAULTS = [Flag(("kubernetes", "inbound"), "redirect", "default")]
CONFIGURE = configuration(None, [], defaults=DEFAULTS)
POD: Pod = {  # as the API server has filled it in
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "generateName": "orders-7d9f8-",
        "namespace": "shop",
        "labels": {"ops-sidecar/inject": "enabled", "app": "orders", "pod-template-hash": "7d9f8"},
    },
    "spec": {
        "containers": [
            {
                "name": "orders",
                "image": "orders:1",
                "ports": [{"name": "http", "containerPort": 8080, "protocol": "TCP"}],
                "resources": {},
                "readinessProbe": {"httpGet": {"path": "/", "port": "http", "scheme": "HTTP"}},
            }
        ],
        "restartPolicy": "Always",
        "terminationGracePeriodSeconds": 30,
        "volumes": [{"name": "token", "emptyDir": {}}],
    },
}


def changed(**spec: Any) -> Pod:
    """The pod, with another spec."""
    pod = copy.deepcopy(POD)
    pod["spec"] |= spec
    return pod


def labelled(**labels: str) -> Pod:
    pod = copy.deepcopy(POD)
    pod["metadata"]["labels"] = {key.replace("__", "/").replace("_", "-"): value for key, value in labels.items()}
    return pod


def ask(pod: Pod, *, opted_in: bool = False) -> tuple[dict[str, Any], Verdict]:
    body = {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {"uid": "1-2", "operation": "CREATE", "object": pod},
    }
    answer, verdict = review(body, CONFIGURE, opted_in=opted_in)
    assert (answer["apiVersion"], answer["kind"], answer["response"]["uid"]) == (
        "admission.k8s.io/v1",
        "AdmissionReview",
        "1-2",
    )
    return answer, verdict


def ours(pod: Pod) -> Pod:
    return patched(pod, ask(pod)[0])


@pytest.mark.parametrize(
    "pod",
    [
        POD,
        changed(initContainers=[{"name": "migrate", "image": "m:1"}]),
        changed(volumes=None),
        changed(restartPolicy="Never"),
    ],
    ids=["usual", "init containers", "no volumes", "job"],
)
def test_the_patch_only_adds_and_the_pod_is_valid(pod: Pod) -> None:
    pod = {**pod, "spec": {key: value for key, value in pod["spec"].items() if value is not None}}
    done = ours(pod)
    check_pod(done)
    names = [one["name"] for one in done["spec"]["initContainers"]]
    assert names[:2] == ["ops-sidecar-redirect", "ops-sidecar"]
    assert done["spec"]["initContainers"][1]["restartPolicy"] == "Always"
    assert done["spec"]["terminationGracePeriodSeconds"] == 30
    assert done["metadata"]["labels"]["ops-sidecar/injected"] == "true"


def test_callers_are_redirected_since_a_pod_knows_no_service() -> None:
    rules, sidecar = ours(POD)["spec"]["initContainers"]
    assert rules["args"] == ["redirect", "--uid", "61080", "--family", "ipv4", "--inbound", "8080:9080"]
    variables = {one["name"]: one["value"] for one in sidecar["env"]}
    assert variables["OPS_SIDECAR_INBOUND__APP"] == "http://127.0.0.1:8080"
    assert variables["OPS_SIDECAR_SERVICE__NAME"] == "orders"


AS_OURS_COMES_LAST = [("aa-old", False), ("aa-old", True), ("zz-zz", False)]


def replayed(pod: Pod, name: str, *, is_reinvoked: bool) -> Pod:
    """What becomes of `pod` beside a webhook that knows no restartPolicy, and so drops it."""
    return admit(pod, [Webhook("zz-ops-sidecar", ours, True), Webhook(name, through_older_types, is_reinvoked)])


@pytest.mark.parametrize(("name", "is_reinvoked"), AS_OURS_COMES_LAST)
@pytest.mark.parametrize("restart", ["Always", "Never"])
def test_beside_a_webhook_that_knows_no_restart_policy_the_pod_stays_valid(
    name: str, is_reinvoked: bool, restart: str
) -> None:
    """It is called before us or after us, once or again. A second run then changes nothing."""
    done = replayed(changed(restartPolicy=restart), name, is_reinvoked=is_reinvoked)
    check_pod(done)
    sidecar = next(one for one in done["spec"]["initContainers"] if one["name"] == "ops-sidecar")
    assert sidecar["restartPolicy"] == "Always"
    assert ask(done)[1].result == "unchanged"
    assert ours(done) == done


def test_only_one_that_comes_last_and_is_called_again_has_the_last_word() -> None:
    """So our configuration is called zz-ops-sidecar: webhooks are called in the order of their names."""
    with pytest.raises(AssertionError, match="without restartPolicy=Always"):
        check_pod(replayed(POD, "zz-zz", is_reinvoked=True))


@pytest.mark.parametrize(("name", "is_reinvoked"), [*AS_OURS_COMES_LAST, ("zz-zz", True)])
def test_a_plain_sidecar_has_nothing_to_lose(name: str, is_reinvoked: bool) -> None:
    done = replayed(annotated("kubernetes.mode=plain"), name, is_reinvoked=is_reinvoked)
    check_pod(done)
    assert [one["name"] for one in done["spec"]["containers"]] == ["orders", "ops-sidecar"]
    assert ours(done) == done


def test_what_was_dropped_is_restored_and_told() -> None:
    dropped = through_older_types(ours(POD))
    with pytest.raises(AssertionError, match="without restartPolicy=Always"):
        check_pod(dropped)
    answer, verdict = ask(dropped)
    assert verdict.result == "restored"
    assert "built on an API older than 1.28" in answer["response"]["warnings"][0]
    check_pod(patched(dropped, answer))


@pytest.mark.parametrize(
    ("pod", "opted_in", "result"),
    [
        (POD, False, "injected"),
        (labelled(app="x"), False, "skipped"),
        (labelled(app="x"), True, "injected"),
        (labelled(ops_sidecar__inject="disabled"), True, "skipped"),
        (labelled(ops_sidecar__inject="true"), True, "skipped"),
    ],
)
def test_pods_or_their_namespaces_opt_in_by_label(pod: Pod, opted_in: bool, result: str) -> None:
    assert ask(pod, opted_in=opted_in)[1].result == result


def annotated(settings: str, pod: Pod = POD) -> Pod:
    pod = copy.deepcopy(pod)
    pod["metadata"]["annotations"] = {"ops-sidecar/settings": settings}
    return pod


def bare(pod: Pod) -> Pod:
    """Without the words that say that it is one."""
    return {key: value for key, value in pod.items() if key not in ("apiVersion", "kind")}


@pytest.mark.parametrize(
    ("pod", "result", "told"),
    [
        (changed(hostNetwork=True), "skipped", "hostNetwork"),
        (annotated("inbound.appp=1"), "failed", "inbound.appp"),
        (annotated("kubernetes.mode=plain", changed(restartPolicy="Never")), "failed", "would never complete"),
        (bare(annotated("kubernetes.mode=plain", changed(restartPolicy="Never"))), "failed", "would never complete"),
        (
            changed(containers=[{"name": "a", "ports": [{"containerPort": 1}, {"containerPort": 2}]}]),
            "failed",
            "which of them speaks HTTP?",
        ),
        (changed(containers=[{"name": "a", "ports": [{"containerPort": 9080}]}]), "failed", "has port 9080 itself"),
    ],
)
def test_whatever_fails_the_pod_is_allowed_and_its_owner_is_warned(pod: Pod, result: str, told: str) -> None:
    answer, verdict = ask(pod)
    assert verdict.result == result
    assert answer["response"]["allowed"] is True
    assert "patch" not in answer["response"]
    assert told in answer["response"]["warnings"][0]
    assert all(len(one) <= 250 for one in answer["response"]["warnings"])


def test_a_pods_annotation_counts() -> None:
    done = ours(annotated("kubernetes.inbound=off\nkubernetes.mode=plain\nkubernetes.outbound=proxy"))
    assert [one["name"] for one in done["spec"]["containers"]] == ["orders", "ops-sidecar"]
    check_pod(done)


@pytest.mark.parametrize(
    "pod", [None, [], {}, {"spec": None}, {"spec": {"containers": []}}, {"metadata": None, "spec": {}}]
)
def test_what_is_not_a_pod_is_left_alone(pod: Any) -> None:
    assert judge(pod, CONFIGURE, opted_in=True).result == "skipped"


@pytest.mark.parametrize(
    "body",
    [None, [], {}, {"apiVersion": "admission.k8s.io/v1"}, {"apiVersion": "admission.k8s.io/v1", "request": {"uid": ""}},
     {"apiVersion": "admission.k8s.io/v1beta1", "request": {"uid": "1"}}],
)  # fmt: skip
def test_what_is_not_a_review_is_refused(body: Any) -> None:
    with pytest.raises(ReviewError, match="expected an AdmissionReview"):
        review(body, CONFIGURE, opted_in=False)


@pytest.mark.parametrize(
    ("metadata", "name"),
    [
        ({"labels": {"app.kubernetes.io/name": "shop", "app": "other"}, "name": "pod"}, "shop"),
        ({"labels": {"app.kubernetes.io/name": "", "app": "other"}, "name": "pod"}, "other"),
        (
            {"ownerReferences": [{"name": "shop-7d9f8"}], "labels": {"pod-template-hash": "7d9f8"}, "name": "pod"},
            "shop",
        ),
        ({"ownerReferences": [{"name": "first"}, {"name": "second"}], "name": "pod"}, "first"),
        ({"ownerReferences": [], "name": "pod", "generateName": "made-"}, "pod"),
        ({"generateName": "shop-7d9f8-", "labels": {"pod-template-hash": "7d9f8"}}, "shop"),
        ({"generateName": "shop-7d9f8-"}, "shop-7d9f8"),
        ({}, ""),
    ],
)
def test_what_a_service_is_called(metadata: dict[str, Any], name: str) -> None:
    assert _service_name({"metadata": metadata}) == name
    assert _service_name({}) == ""
