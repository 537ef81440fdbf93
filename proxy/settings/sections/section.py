"""The base of every section of the settings, and the sections about TLS. May know pydantic, no other key."""

from __future__ import annotations

from typing import Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, model_validator

SectionT = TypeVar("SectionT", bound="Section")


class Section(BaseModel):
    """A group of keys. Unknown ones are an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _read_nothing(cls, value: object) -> object:
        """A section without a value has no keys."""
        return {} if value is None else value

    def merge(self: SectionT, over: SectionT) -> SectionT:
        """This section, overridden by the keys that `over` sets, section by section."""
        update: dict[str, Any] = {}
        for key in over.model_fields_set:
            mine, theirs = getattr(self, key), getattr(over, key)
            update[key] = mine.merge(theirs) if isinstance(mine, Section) else theirs
        return self.model_copy(update=update)


class TlsClientSettings(Section):
    """TLS towards a server."""

    ca_file: str | None = None  # None: the system's certificates
    verify: bool = True
    cert_file: str | None = None  # our own certificate, if the server asks for one
    key_file: str | None = None  # None: the key stands in cert_file too


class ListenTlsSettings(Section):
    """TLS towards those who connect to a listener. Without `cert_file` there is none."""

    cert_file: str | None = None
    key_file: str | None = None  # None: the key stands in cert_file too
    client_ca_file: str | None = None
    client_certificates: Literal["off", "optional", "required"] = "off"
