"""Kafka messages that carry the trace and session of whoever has produced them.

    python examples/kafka_events.py                  # with a broker of librdkafka's, made for tests
    python examples/kafka_events.py 127.0.0.1:9092   # with yours

Headers of Kafka are pairs of a text and bytes. `ops.inject_context` writes what the first pair has; into an empty list
it writes texts, which confluent-kafka takes as well. aiokafka wants bytes: begin with a header of your own.
"""

from __future__ import annotations

import sys
from typing import Any

from confluent_kafka import Consumer, Producer
from opentelemetry.trace import SpanKind

import ops_lib as ops

TOPIC = "orders"


def produce(producer: Producer, title: str) -> None:
    headers: list[tuple[str, bytes]] = [("content-type", b"text/plain")]
    with ops.span(f"send {TOPIC}", kind=SpanKind.PRODUCER):
        ops.inject_context(headers)
        producer.produce(TOPIC, title.encode(), key=b"books", headers=headers)  # one key, one partition: in order


def consume(consumer: Consumer, count: int) -> list[dict[str, str | None]]:
    """Handle `count` messages. Each has the context of its own sender, and leaves none behind."""
    answers = []
    while len(answers) < count:
        message = consumer.poll(1.0)
        if message is None or message.error():
            continue
        came = ops.propagated_context(extract_from=message.headers() or [])
        with came, ops.span(f"process {TOPIC}", kind=SpanKind.CONSUMER):
            answers.append(print_book(message.value().decode()))
    return answers


def print_book(title: str) -> dict[str, str | None]:
    session = ops.current_session()
    return {"title": title, "session": session.id if session else None, "trace_id": ops.current_span().trace_id}


def main(broker: str | None = None) -> None:
    own: dict[str, Any] = {} if broker else {"test.mock.num.brokers": 1, "log_level": 3}
    producer = Producer({"bootstrap.servers": broker or "made here", **own})
    if broker is None:  # where the broker for tests listens
        found = next(iter(producer.list_topics(timeout=10).brokers.values()))
        broker = f"{found.host}:{found.port}"
    trace_ids = {}
    for title in ("dune", "emma"):
        with ops.session(id=f"order-{title}"), ops.span("order") as span:
            produce(producer, title)
            trace_ids[title] = span.trace_id
    producer.flush(10)
    consumer = Consumer({"bootstrap.servers": broker, "group.id": "books", "auto.offset.reset": "earliest"})
    consumer.subscribe([TOPIC])
    for answer in consume(consumer, 2):
        title = answer["title"] or ""
        print(title, answer["session"], "same trace:", answer["trace_id"] == trace_ids[title])
    consumer.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
