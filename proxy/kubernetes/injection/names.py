"""The names that injection gives: containers, labels, annotations. They tell it again what is its own."""

from __future__ import annotations

from typing import Final

SIDECAR: Final = "ops-sidecar"  # the container
REDIRECT: Final = "ops-sidecar-redirect"  # the init container that sets the rules
VOLUME: Final = "ops-sidecar-settings"
SETTINGS_PATH: Final = "/etc/ops-sidecar"
SETTINGS_FILE: Final = "sidecar.yaml"  # the key of the ConfigMap

# A prefix of a label is a DNS subdomain, and one word is one: nobody else's domain is taken.
INJECT: Final = "ops-sidecar/inject"  # label or annotation of a pod, by its owner: enabled or disabled
INJECTED: Final = "ops-sidecar/injected"  # label of a pod that has the sidecar
SETTINGS: Final = "ops-sidecar/settings"  # annotation, by the pod's owner: lines KEY=VALUE
BEFORE: Final = "ops-sidecar/before"  # annotation: what `uninject` restores

PORT_INBOUND: Final = "ops-inbound"
PORT_HEALTH: Final = "ops-health"
