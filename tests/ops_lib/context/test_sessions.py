"""Sessions: put in force, nested, validated, carried by the Context."""

from __future__ import annotations

import asyncio
import pickle
import threading
import uuid
from typing import Any

import pytest

import ops_lib as ops
from ops_lib.testing import SpanCapture


def test_in_force_for_the_block() -> None:
    assert ops.current_session() is None
    with ops.session(id="demo-session", attributes={"user": 7}) as session:
        assert ops.current_session() is session
        assert session.id == "demo-session"
        assert session.attributes == {"user": 7}
    assert ops.current_session() is None


def test_without_an_id_gets_a_uuid() -> None:
    with ops.session() as one, ops.session() as two:
        assert uuid.UUID(one.id).version == 4
        assert one.id != two.id


def test_nests_and_ends_on_exceptions() -> None:
    with ops.session(id="1"):
        with pytest.raises(KeyError), ops.session(id="2"):
            raise KeyError
        assert ops.current_session() == ops.SessionContext("1")


def test_the_same_block_within_itself() -> None:
    block = ops.session(id="a")
    with block, ops.session(id="b"), block as session:
        assert ops.current_session() is session
    with block:
        assert ops.current_session() is session
    assert ops.current_session() is None


async def test_async_with() -> None:
    async with ops.session(id="a"):
        await asyncio.sleep(0)
        assert ops.current_session() == ops.SessionContext("a")
    assert ops.current_session() is None


@pytest.mark.parametrize(
    "bad", ["", " ", "a b", "a\r\nX-Evil: 1", "a\nb", "\x00", "ü", "x" * 257, "tab\t", "a" + chr(127)]
)
def test_an_id_that_may_not_travel_is_a_value_error(bad: str) -> None:
    with pytest.raises(ValueError, match="session id is 1 to 256 visible ASCII") as caught:
        ops.session(id=bad)
    assert isinstance(caught.value, ops.InvalidSessionError)
    with pytest.raises(ValueError):
        ops.SessionContext(bad)


def test_limits_of_an_id() -> None:
    with ops.session(id="x" * 256), ops.session(id="!~"):
        pass


def test_attributes_are_a_copy_that_cannot_be_changed() -> None:
    mine = {"a": 1}
    session = ops.SessionContext("s", mine)
    mine["a"] = 2
    assert session.attributes == {"a": 1}
    with pytest.raises(TypeError):
        session.attributes["a"] = 3  # type: ignore[index]  # this is the test
    with pytest.raises(AttributeError):
        session.id = "t"  # type: ignore[misc]  # this is the test


def test_attributes_can_be_asked_for_also_where_there_are_none() -> None:
    """A session from the wire has none: code that looks for one must not fail for it."""
    headers: dict[str, str] = {}
    with ops.session(id="s", attributes={"tier": "pro"}):
        ops.inject_context(headers)
    with ops.propagated_context(extract_from=headers):
        session = ops.current_session()
        assert session is not None
        assert session.attributes.get("tier") is None
    with ops.session() as fresh:
        assert dict(fresh.attributes) == {}


def test_is_hashable_with_attributes() -> None:
    assert len({ops.SessionContext("s", {"a": [1]}), ops.SessionContext("s", {"a": [1]})}) == 1


def test_pickles() -> None:
    session = ops.SessionContext("s", {"a": 1})
    assert pickle.loads(pickle.dumps(session)) == session


async def test_each_task_has_its_own() -> None:
    async def work(name: str) -> str:
        with ops.session(id=name):
            await asyncio.sleep(0)
            session = ops.current_session()
            assert session is not None
            return session.id

    assert await asyncio.gather(*(work(str(n)) for n in range(20))) == [str(n) for n in range(20)]
    assert ops.current_session() is None


async def test_task_groups_inherit_it() -> None:
    async def seen() -> str | None:
        session = ops.current_session()
        return None if session is None else session.id

    with ops.session(id="group"):
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(seen()) for _ in range(3)]
        assert await asyncio.to_thread(ops.current_session) == ops.SessionContext("group")
    assert [task.result() for task in tasks] == ["group"] * 3


def test_another_thread_does_not_have_it() -> None:
    found: list[object] = []
    with ops.session(id="here"):
        thread = threading.Thread(target=lambda: found.append(ops.current_session()))
        thread.start()
        thread.join()
    assert found == [None]


def test_is_on_spans_also_root_spans(ops_spans: SpanCapture) -> None:
    with ops.session(id="s-1", attributes={"plan": "pro", "api_key": "hidden"}), ops.span("outer"), ops.span("inner"):
        pass
    said = {"session.id": "s-1", "ops.session.attributes": '{"plan": "pro", "api_key": "[scrubbed]"}'}
    assert [(span.name, dict(span.attributes or {})) for span in ops_spans.spans] == [("inner", said), ("outer", said)]


@pytest.mark.parametrize(
    "sent", ["", "two words", "x" * 257, "caf\u00e9", "a\r\nb", "\ud800", None, b"bytes", ["list"], 7]
)
def test_an_id_that_a_client_sent_never_raises(sent: Any) -> None:
    with ops.session(id=sent, on_invalid="new") as session:
        assert uuid.UUID(session.id).version == 4
        headers: dict[str, str] = {}
        ops.inject_context(headers)
    assert headers == {"X-Mirascope-Session-Id": session.id}


def test_a_valid_id_that_a_client_sent_is_kept() -> None:
    with ops.session(id="x" * 256, on_invalid="new", attributes={"plan": "trial"}) as session:
        assert session.id == "x" * 256
        assert session.attributes == {"plan": "trial"}


def test_what_to_do_with_an_invalid_id_is_one_of_two() -> None:
    with pytest.raises(ops.ConfigurationError, match='on_invalid is "raise" or "new", not \'ignore\''):
        ops.session(id="s", on_invalid="ignore")  # type: ignore[arg-type]  # this is the test
