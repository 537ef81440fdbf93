"""Finds what stays open under a new plan. It only compares; it opens and closes nothing.

May know doors, their sockets, and the plan.
"""

from __future__ import annotations

from collections.abc import Mapping

from proxy.dataplane.door import Door
from proxy.plan import Address, Plan
from proxy.transport.listening import ListeningSocket

KeptSockets = dict[tuple[str, Address], ListeningSocket]  # by the name of a listener of the new plan, and its address


def kept_sockets(doors: Mapping[str, Door], plan: Plan) -> KeptSockets:
    """The open sockets that the listeners of `plan` keep, from any former listener."""
    kept: KeptSockets = {}
    sockets = [each for door in doors.values() for each in door.sockets]
    wanted = [(listener.name, bind) for listener in plan.listeners for bind in listener.binds]
    for name, bind in wanted:
        for each in sockets:
            if each.is_at(bind):
                kept[name, bind] = each
    for name, bind in wanted:  # listeners on port 0 keep the port that they have, unless another asks for it
        if (name, bind) not in kept and name in doors:
            for each in doors[name].sockets:
                if each.bind == bind and each not in kept.values():
                    kept[name, bind] = each
    return kept


def kept_doors(doors: Mapping[str, Door], plan: Plan, kept: KeptSockets) -> dict[str, Door]:
    """Name of a listener of `plan` -> the door that it keeps, with its connections.
    It is the door of its first kept socket that no other listener has taken.
    """
    holders = {each: door for door in doors.values() for each in door.sockets}
    found: dict[str, Door] = {}
    for listener in plan.listeners:
        for bind in listener.binds:
            door = holders.get(kept[listener.name, bind]) if (listener.name, bind) in kept else None
            if door is not None and door not in found.values():
                found[listener.name] = door
                break
    return found


def is_v6_only(plan: Plan, bind: Address) -> bool:
    """Whether `bind` must be IPv6 only, because `plan` has an IPv4 listener at its port."""
    others = [address for listener in plan.listeners for address in listener.binds]
    if plan.admin is not None:
        others.append(plan.admin)
    return any(other.port == bind.port != 0 and other.host and ":" not in other.host for other in others)


def shared_addresses(plan: Plan) -> list[Address]:
    """Where another process may listen beside this one."""
    return [bind for listener in plan.listeners for bind in listener.binds] if plan.reuse_port else []
