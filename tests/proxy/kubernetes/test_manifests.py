"""Manifests as text: what no edit touches stays byte for byte, and the rest keeps its comments and its order."""

from __future__ import annotations

import json

import pytest
import yaml
from lab.manifests import DEPLOYMENT, SERVICE, inject, uninject

from proxy.kubernetes.manifests import _NEEDS_QUOTES, ManifestError, Manifests


def test_other_documents_stay_byte_for_byte() -> None:
    odd = "# first\napiVersion: example.internal/v1\nkind:   Odd\ndata: {b:   1,    a: 0644, when: 2026-01-01, b: 2}\n"
    done = inject(f"{odd}---\n# Source: x.yaml\n{DEPLOYMENT}--- # last\n{odd}...\n").text
    assert done.startswith(f"{odd}---\n# Source: x.yaml\napiVersion: apps/v1\n")
    assert done.endswith(f"\n--- # last\n{odd}...\n")


COMMENTED = """\
# the whole
kind: Deployment # kind first
apiVersion: "apps/v1"
spec:
    template: # four spaces
        spec:
            # the app
            containers:
                - image: 'orders:1' # pinned
                  name: orders

                  command: [sh, -c, "echo 'a: b'"]
                  # one of many
                  env:
                      - {name: A, value: "on"}
                      - name: LONG
                        value: >-
                            folded
                            text
                      - name: SCRIPT
                        value: |
                            #!/bin/sh
                            echo  two  spaces

            securityContext: {fsGroup: 0644}
metadata:
    name: orders # and the name last
# the end
"""


def test_comments_order_quotes_and_blocks_stay() -> None:
    done = inject(COMMENTED).text
    left = done.splitlines()
    for line in COMMENTED.splitlines():
        if line.strip():
            assert line.split() in [one.split() for one in left], line
    assert [line for line in left if line.startswith(("kind", "apiVersion", "spec", "metadata", "#"))] == [
        line for line in COMMENTED.splitlines() if line[:1] not in ("", " ")
    ]
    assert yaml.safe_load(uninject(done)) == yaml.safe_load(COMMENTED)


@pytest.mark.parametrize("newline", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_line_ends_and_a_byte_order_mark_stay(newline: str, mark: str) -> None:
    text = mark + (DEPLOYMENT + SERVICE).replace("\n", newline)
    done = inject(text).text
    assert done.startswith(mark + "apiVersion")
    assert done.count("\n") == done.count(newline)
    assert uninject(done) == text


INDENTED = """\
apiVersion: apps/v1
kind: Deployment
spec:
  template:
    spec:
      containers:
        - name: a
          image: a:1
          ports:
            - name: http
              containerPort: 8080
"""


@pytest.mark.parametrize("text", [INDENTED, DEPLOYMENT], ids=["indented", "flush"])
def test_lists_stay_indented_as_they_are(text: str) -> None:
    done = inject(text).text
    assert f"\n{' ' * (8 if text is INDENTED else 6)}- name: ops-sidecar\n" in done
    assert uninject(done) == text


def test_braces_stay_around_a_single_key() -> None:
    text = "apiVersion: v1\nkind: Pod\nspec: {containers: [{name: a, ports: [{containerPort: 8080}]}]}\n"
    assert uninject(inject(text).text) == text


@pytest.mark.parametrize("indent", [None, 2, 4])
def test_json_stays_json(indent: int | None) -> None:
    text = json.dumps(yaml.safe_load(DEPLOYMENT), indent=indent) + "\n"
    done = inject(text).text
    assert json.loads(done)["spec"]["template"]["spec"]["initContainers"][0]["name"] == "ops-sidecar"
    assert uninject(done) == text


@pytest.mark.parametrize(
    "word", ["on", "off", "y", "no", "null", "1e3", "0x1F", "12:30", "2026-01-01", "-", "a: b", "#"]
)
def test_what_goes_in_is_text_for_every_reader(word: str) -> None:
    """PyYAML reads YAML 1.1, as the library behind kubectl does."""
    assert inject(DEPLOYMENT, {"service.name": word}).variables["SERVICE__NAME"] == word


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"{DEPLOYMENT}---\nkind: Pod\nspec: [\n", "document 2, line 18"),
        (
            f"{DEPLOYMENT}---\nkind: Pod\na: 1\na: 2\n",
            'document 2, line 18, column 1: not valid YAML: found duplicate key "a"',
        ),
        ("kind: Pod\n\tspec: 1\n", "document 1, line 2, column 1: not valid YAML: found character '\\t'"),
        ("kind: Pod\nspec: *nobody\n", "undefined alias"),
    ],
)
def test_a_document_that_cannot_be_read_is_named_with_its_line(text: str, told: str) -> None:
    with pytest.raises(ManifestError) as caught:
        Manifests(text)
    assert told in str(caught.value)


def test_braces_after_a_comment_are_not_json() -> None:
    text = "# a pod\n{apiVersion: v1, kind: Pod, spec: {containers: [{name: a, ports: [{containerPort: 8080}]}]}}\n"
    done = inject(text).text
    assert done.startswith("# a pod\n{apiVersion: v1, kind: Pod, spec: {containers: ")
    assert yaml.safe_load(done)["spec"]["initContainers"][0]["name"] == "ops-sidecar"


def test_neighbours_that_share_an_anchor_are_edited_apart() -> None:
    """Both get something of ours, and neither what is the other's."""
    text = DEPLOYMENT.replace(
        "      labels: {app: orders}", "      annotations: &both {app: orders}\n      labels: *both"
    )
    metadata = inject(text).documents[0]["spec"]["template"]["metadata"]
    assert set(metadata["labels"]) == {"app", "ops-sidecar/injected"}
    assert "ops-sidecar/before" in metadata["annotations"]
    assert "ops-sidecar/injected" not in metadata["annotations"]


def test_an_anchor_is_not_edited_twice() -> None:
    """Labels that a selector shares by an alias: the selector must not get the label of the sidecar."""
    text = DEPLOYMENT.replace("matchLabels: {app: orders}", "matchLabels: &labels {app: orders}").replace(
        "      labels: {app: orders}", "      labels: *labels"
    )
    done = inject(text)
    assert done.documents[0]["spec"]["selector"]["matchLabels"] == {"app": "orders"}
    assert done.documents[0]["spec"]["template"]["metadata"]["labels"]["ops-sidecar/injected"] == "true"


@pytest.mark.parametrize("text", ["", "\n", "---\n", "# nothing\n", "---\n---\n", "kind: Pod\n", "- kind: Pod\n"])
def test_a_stream_without_pods_passes(text: str) -> None:
    assert inject(text).text == text


@pytest.mark.parametrize(
    "text",
    ["", "y", "Y", "n", "yes", "No", "on", "OFF", "true", "False", "null", "~", "-a", "+1", ".5", "0644", "9", " a",
     "!a", "&a", "*a", "?", "|", ">", "@a", "%a", "`a", "'a", '"a', "{a", "}", "[a", "]", ",a", "#a", ":a", "=", "a: b",
     "a:", "a #b", "a "],
)  # fmt: skip
def test_a_text_that_readers_of_yaml_could_take_for_something_else_is_quoted(text: str) -> None:
    assert _NEEDS_QUOTES.fullmatch(text)


@pytest.mark.parametrize("text", ["yess", "a", "nope", "http://a:1/b", "a#b", "a-b", "onto", "a:1.2", "nulls"])
def test_other_texts_are_not(text: str) -> None:
    assert _NEEDS_QUOTES.fullmatch(text) is None
