"""Templates of paths: which fits, and what is not one."""

from __future__ import annotations

import pytest

from proxy.path_templates import PathTemplates, check_template

TEMPLATES = ["/", "/orders/{id}", "/orders/{id}/items/{item}", "/orders/new", "/files/*", "/v1.0/a+b", "/{tenant}/x/*"]


@pytest.mark.parametrize(
    ("target", "template"),
    [
        (b"/", "/"),
        (b"/?a=1", "/"),
        (b"/orders/7", "/orders/{id}"),
        (b"/orders/7?id=8/9", "/orders/{id}"),
        (b"/orders/new", "/orders/{id}"),  # the first counts
        (b"/orders/7/items/%2F", "/orders/{id}/items/{item}"),
        (b"/orders/", ""),
        (b"/orders/7/", ""),
        (b"/orders", ""),
        (b"/files", "/files/*"),
        (b"/files/", "/files/*"),
        (b"/files/a/b", "/files/*"),
        (b"/filesystem", ""),
        (b"/v1.0/a+b", "/v1.0/a+b"),
        (b"/v1x0/aab", ""),
        (b"/acme/x/y/z", "/{tenant}/x/*"),
        (b"*", ""),
        (b"", ""),
        (b"/orders/\xff", "/orders/{id}"),
    ],
)
def test_the_first_that_fits_counts(target: bytes, template: str) -> None:
    assert PathTemplates(TEMPLATES).find(target).decode() == template


@pytest.mark.parametrize("template", TEMPLATES)
def test_these_are_templates(template: str) -> None:
    check_template(template)


@pytest.mark.parametrize(
    "template",
    ["", "orders", "/orders/{}", "/orders/{id", "/a/*/b", "/a?b", "/a#b", "/a b", "/{a}{b}", "/é", f"/{'a' * 256}"],
)
def test_these_are_not(template: str) -> None:
    with pytest.raises(ValueError):
        check_template(template)


@pytest.mark.parametrize("target", [b"", b"?a", b"/", b"*"])
def test_without_templates_no_path_has_one(target: bytes) -> None:
    assert PathTemplates(()).find(target) == b""


def test_the_longest_template_is_one() -> None:
    check_template(f"/{'a' * 255}")


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("orders", "it does not begin with /"),
        (f"/{'a' * 256}", "longer than 256 characters"),
        ("/a/{b", "the segment '{b' is neither text, nor {name}, nor * at the end"),
        ("/*/b", "* may only be the last segment"),
    ],
)
def test_what_is_wrong_with_a_template_is_told(template: str, problem: str) -> None:
    with pytest.raises(ValueError) as caught:
        check_template(template)
    assert str(caught.value) == problem
