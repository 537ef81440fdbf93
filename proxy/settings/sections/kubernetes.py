"""How the sidecar stands in a pod: what `inject` and `webhook` write. A running sidecar reads none of it."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import PlainValidator

from proxy.settings import kubernetes_values as values
from proxy.settings.kinds import Port, Ports
from proxy.settings.sections.section import Section

Quantity = Annotated[str, PlainValidator(values.parse_quantity)]
Name = Annotated[str, PlainValidator(values.parse_name)]
Image = Annotated[str, PlainValidator(values.parse_image)]


class KubernetesSettings(Section):
    """The container, the ways in and out, and where its settings come from."""

    image: Image = ""  # empty: ops-sidecar, of the version that writes it
    pull_policy: Literal["", "Always", "IfNotPresent", "Never"] = ""  # empty: the cluster's own
    mode: Literal["native", "plain"] = "native"
    inbound: Literal["service", "redirect", "off"] = "service"
    outbound: Literal["proxy", "redirect", "off"] = "proxy"
    redirect_ports: Ports = (80, 8080)  # of other services
    ip_family: Literal["auto", "ipv4", "ipv6", "dual"] = "auto"  # auto: as the Services say
    health_port: Port = 9084
    config_map: Name = ""
    run_as_user: Annotated[int, PlainValidator(values.parse_user)] = 61080  # not 65532, which many images have
    cpu_request: Quantity = "50m"
    memory_request: Quantity = "96Mi"
    cpu_limit: Quantity = ""
    memory_limit: Quantity = "256Mi"
