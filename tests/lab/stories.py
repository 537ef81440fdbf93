"""HPACK stories: header blocks of six encoders, and the fields that they hold (a file of the conformance folder)."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from proxy.http2.hpack.decoder import Decoder
from proxy.http2.hpack.encoder import Encoder
from proxy.http2.hpack.field import Judge

Fields = list[tuple[bytes, bytes]]
FILE = Path("hpack") / "stories.jsonl.gz"


class Story(NamedTuple):
    """What one encoder has sent on one connection."""

    name: str
    cases: list[dict[str, Any]]


def read(file: Path) -> Iterator[Story]:
    """All stories of `file`."""
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        for line in lines:
            story = json.loads(line)
            yield Story(f"{story['encoder']} {story['story']}", story["cases"])


def differences(story: Story) -> list[str]:
    """Where its fields are not what they should be: decoded, and once more when we have encoded them again."""
    decoder, encoder, next_decoder = Decoder(Judge(), 1 << 20), Encoder(), Decoder(Judge(), 1 << 20)
    found = []
    for number, case in enumerate(story.cases):
        if "table" in case:
            decoder.allow(case["table"])
        wanted = [(name.encode(), value.encode()) for name, value in case["headers"]]
        fields = decoder.decode(bytes.fromhex(case["wire"]))
        again = next_decoder.decode(encoder.encode(fields, []))
        for how, got in (("decoded", fields), ("encoded again", again)):
            if [(field.name, field.value) for field in got] != wanted:
                found.append(f"{story.name}, case {number}: differs when {how}")
    return found
