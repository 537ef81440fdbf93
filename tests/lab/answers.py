"""Holds answers of the console against the schemas that /api/v1/openapi.json tells."""

from __future__ import annotations

from typing import Any

from jsonschema import Draft202012Validator

from proxy.console.server.openapi import document

UNTOLD: dict[str, Any] = {
    "groups": [], "passed": [], "added": [], "removed": [], "response": [], "record": None, "bare": None,
    "conflicts": [], "lost": [], "link": None, "timing": None,
}  # fmt: skip
"""What a request's answer has of headers and times where nothing is told of them."""


def check(schema: dict[str, Any], said: Any) -> None:
    """`said` is as the schema has it, and has no key that the schema does not name."""
    Draft202012Validator(strict(schema)).validate(said)


def check_named(name: str, said: Any) -> None:
    check({"$ref": f"#/components/schemas/{name}"}, said)


def strict(schema: Any) -> Any:
    """A schema with its references in place, which lets no other keys pass."""
    if isinstance(schema, list):
        return [strict(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        return strict(document()["components"]["schemas"][schema["$ref"].rpartition("/")[2]])
    if "allOf" in schema:
        parts = strict(schema["allOf"])
        required = [name for part in parts for name in part.get("required", ())]
        properties = {name: one for part in parts for name, one in part.get("properties", {}).items()}
        return {"type": "object", "required": required, "properties": properties, "additionalProperties": False}
    made = {name: strict(one) for name, one in schema.items()}
    return {**made, "additionalProperties": False} if "properties" in made and "type" in made else made
