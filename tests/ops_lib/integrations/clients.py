"""The instrumented clients under test, each reduced to one GET: httpx (sync and async), requests, aiohttp, urllib3."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import aiohttp
import httpx
import requests
import urllib3

import ops_lib as ops
from ops_lib.integrations import aiohttp as ops_aiohttp
from ops_lib.integrations import httpx as ops_httpx
from ops_lib.integrations import requests as ops_requests
from ops_lib.integrations import urllib3 as ops_urllib3

Headers = dict[str, str]


def _httpx(url: str, headers: Headers) -> int:
    return httpx.get(url, headers=headers, follow_redirects=True).status_code


def _httpx_async(url: str, headers: Headers) -> int:
    async def call() -> int:
        async with httpx.AsyncClient(follow_redirects=True) as client:
            return (await client.get(url, headers=headers)).status_code

    return asyncio.run(call())


def _requests(url: str, headers: Headers) -> int:
    return requests.get(url, headers=headers).status_code


def _aiohttp(url: str, headers: Headers) -> int:
    async def call() -> int:
        async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as response:
            await response.read()
            return response.status

    return asyncio.run(call())


def _urllib3(url: str, headers: Headers) -> int:
    with urllib3.PoolManager() as pool:
        return pool.request("GET", url, headers=headers).status


CLIENTS: dict[str, tuple[Any, Callable[[str, Headers], int]]] = {
    "httpx": (ops_httpx, _httpx),
    "httpx-async": (ops_httpx, _httpx_async),
    "requests": (ops_requests, _requests),
    "aiohttp": (ops_aiohttp, _aiohttp),
    "urllib3": (ops_urllib3, _urllib3),
}


class Client:
    """One client library: its integration, and a GET with it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.integration, self._get = CLIENTS[name]

    def get(self, url: str, headers: Headers | None = None) -> int:
        return self._get(url, headers or {})


def carried(headers: Headers) -> Headers:
    """What of `headers` is ours to carry."""
    propagator = ops.get_propagator().propagator
    return {name: value for name, value in headers.items() if propagator.owns(name) or name == "baggage"}
