"""Mutants that mean the same as the source, and why. Each was looked at. What only costs time or memory is not here.

By module and line of source, so that a line that changes is looked at again.
"""

from __future__ import annotations

from typing import Final

from mutation.same_library import OF_THE_LIBRARY
from mutation.same_settings import OF_SETTINGS

_SOCK_DIAG: Final = "the kernel reads neither padding nor a sequence number, and no TCP socket has the state 0"
_QUICK: Final = "the byte takes the way of the pattern below, which knows it as well"
_TREE: Final = "the way bit by bit, which is taken then, reads the same"
_TABLE: Final = "the table and the function say the same of 255"
_TABLE_OR_PREFIX: Final = "the table and the function say the same of 255; of what is larger, the prefix has the bit"
_HAS_HOST: Final = "a head of HTTP/1.1 without a host has been refused before"
_FULL: Final = "the bucket is full at first: whatever has come until then adds nothing"
_FIRST: Final = "another value always comes before it is read; it is there so that no state is without one"

_WAITED: Final = "if self._is_waited_for and self.room > 0:  # first, so that what then begins goes out with the rest"
SAME: Final[dict[tuple[str, str], tuple[frozenset[str], str]]] = {
    **OF_THE_LIBRARY,
    **OF_SETTINGS,
    (
        "proxy/transport/processes.py",
        "request = _REQUEST.pack(family, socket.IPPROTO_TCP, 0, 0, 0xFFFFFFFF) + sockid",
    ): (frozenset({"(1)", "(4294967294)"}), _SOCK_DIAG),
    (
        "proxy/transport/processes.py",
        "head = _HEAD.pack(_HEAD.size + len(request), _SOCK_DIAG_BY_FAMILY, _NLM_F_REQUEST, 1, 0)",
    ): (frozenset({"(0)", "(1)", "(2)"}), _SOCK_DIAG),
    ("proxy/transport/processes.py", "netlink.settimeout(1.0)"): (
        frozenset({"(2.0)", "(0.0)", "pass"}),
        "the kernel answers while the question is sent: its answer is there already",
    ),
    ("proxy/transport/processes.py", "if len(columns) > 9 and (columns[1], columns[2]) == wanted:"): (
        frozenset({"(10)", "(8)", ">="}),
        "each line of a socket has 12 columns at least, and the first line none of a socket's ends",
    ),
    ("proxy/transport/sockets.py", "probe.connect((ip, 9))"): (
        frozenset({"(8)", "(10)"}),
        "nothing is sent there, so any port does",
    ),
    (
        "proxy/http1/message/grammar.py",
        "ONLY_VISIBLE: Final = bytes(byte if 0x21 <= byte <= 0x7E else byte ^ 1 for byte in range(256))",
    ): (frozenset({"<", "(34)", "(125)", "(2)"}), _QUICK),
    **{
        ("proxy/http2/engine/reader.py", line): (frozenset({"pass", "(1)", "(-1)"}), "`next` or `_hold` sets it first")
        for line in (
            "self._held = 0  # bytes in them",
            "self._needed = 0  # bytes that must be there before it is worth looking again",
            "self._following_at = 0",
            "self.kind = 0",
            "self.flags = 0",
            "self.id = 0  # of the stream",
            "self.start = 0",
            "self.end = 0",
        )
    },
    **{
        (path, line): (frozenset(others), _FIRST)
        for path, line, *others in (
            ("proxy/http1/awaiting.py", "self._judged_at = NEVER  # when to check the body's progress next", "pass"),
            (
                "proxy/http1/awaiting.py",
                "self._judged_bytes = 0  # bytes that had come at the last check",
                *("pass", "(1)", "(-1)"),
            ),
            ("proxy/http1/connection.py", "self._fd = -1", "pass", "(2)", "(0)"),
            (
                "proxy/http1/connection.py",
                "self._silent_at = NEVER  # when a body will have been silent for too long",
                "pass",
            ),
            ("proxy/http1/kept_connection.py", "self._fd = -1", "pass", "(2)", "(0)"),
            ("proxy/http2/connection.py", "self._fd = -1", "pass", "(2)", "(0)"),
            ("proxy/http2/connection.py", "self._heard_at = NEVER  # when bytes came last", "pass"),
            ("proxy/http2/engine/engine.py", "self._block_bytes = 0", "pass", "(1)", "(-1)"),
            ("proxy/http2/engine/engine.py", "self._block_done = False  # it ends the stream", "pass"),
        )
    },
    ("proxy/http2/engine/engine.py", "end -= data[start] if start < end else 1"): (
        frozenset({"(0)", "(2)"}),
        "the frame has ended before its padding's length: whatever it is taken for, the start is behind the end",
    ),
    ("proxy/http2/engine/budgets.py", "self._at = 0.0  # when they were last counted"): (
        frozenset({"(1.0)", "(-1.0)"}),
        _FULL,
    ),
    ("proxy/http2/engine/budgets.py", "self.earned = 0  # more tokens, counted with the next that is spent"): (
        frozenset({"(1)", "(-1)"}),
        _FULL,
    ),
    (
        "proxy/http2/engine/budgets.py",
        "tokens = min(self._burst, self._tokens + came) if came > 0 else self._tokens",
    ): (frozenset({">="}), "nothing is added to them either way"),
    ("proxy/http2/engine/client.py", "stream = Stream(self, user, 0)"): (
        frozenset({"(1)", "(-1)"}),
        "its window is set as it is opened, and nobody asks before",
    ),
    ("proxy/http2/upstream.py", "self._is_waited_for = False"): (
        frozenset({"pass"}),
        "a pool for which nobody waits is asked again, to no end",
    ),
    ("proxy/http2/upstream.py", _WAITED): (
        frozenset({">=", "(-1)", "or"}),
        "without room nobody is served, and those that wait ask to be called again; without a call nobody waits",
    ),
    ("proxy/http2/upstream.py", "return mine if mine < theirs else theirs"): (
        frozenset({"<="}),
        "both are equal",
    ),
    ("proxy/http2/client.py", "self.deadline = NEVER  # every tick, once it is admitted"): (
        frozenset({"pass"}),
        "its admission sets it, and nobody asks before",
    ),
    ("proxy/http2/client.py", "self._idle_at = NEVER  # when it will have been idle for too long"): (
        frozenset({"pass"}),
        "its admission sets it, and nobody asks before",
    ),
    ("proxy/http2/client_waits.py", "self._is_complete = False  # the request is"): (
        frozenset({"pass"}),
        "`begin` sets it, and nobody asks before",
    ),
    ("proxy/http2/client_waits.py", "self._left_bytes = 0  # that waited for it at the last check"): (
        frozenset({"pass", "(1)", "(-1)"}),
        "it is set with the time of the first check, and nobody asks before",
    ),
    ("proxy/http2/client_waits.py", "self._judged_bytes = 0  # that had come at the last check"): (
        frozenset({"pass", "(1)", "(-1)"}),
        "it is set with the time of the first check, and nobody asks before",
    ),
    ("proxy/http2/hpack/decoder.py", "self._place = 0  # in the block"): (
        frozenset({"pass", "(1)", "(-1)"}),
        "each string and integer sets it before it is read",
    ),
    (
        "proxy/http2/hpack/encoder.py",
        r'out.append(integer(63, 0x40, index) if index else b"\x40" + length(len(name)) + name)',
    ): (frozenset({"(62)", "(64)"}), "the largest index of a name is 61, below any of these prefixes"),
    ("proxy/http2/hpack/integers.py", "return LENGTHS[size] if size < 256 else integer(127, 0, size)"): (
        frozenset({"(255)", "(1)"}),
        _TABLE_OR_PREFIX,
    ),
    (
        "proxy/http2/engine/engine.py",
        'self._block_is_bad = int.from_bytes(data[start - 5 : start - 1], "big") & LARGEST_ID == id',
    ): (
        frozenset({"(6)"}),
        "LARGEST_ID masks the byte before as well",
    ),
    ("proxy/http2/hpack/huffman.py", "_USED: Final = _SHORT[0]"): (
        frozenset({"(-1)"}),
        "the last of these tables says of one symbol what the first says of two: one look-up more",
    ),
    (
        "proxy/http2/message/write.py",
        'for name in (b"GET", b"HEAD", b"POST", b"PUT", b"PATCH", b"DELETE", b"OPTIONS", b"CONNECT")',
    ): (
        frozenset({"b'qET'", "b'qEAD'", "b'qOST'", "b'qUT'", "b'qATCH'", "b'qELETE'", "b'qPTIONS'", "b'qONNECT'"}),
        "the field of a method that is not among them is made anew",
    ),
    (
        "proxy/http2/message/write.py",
        '_STATUSES: Final = {status: HeaderField(b":status", b"%d" % status, STATUS) for status in range(100, 600)}',
    ): (frozenset({"(99)", "(101)", "(599)", "(601)"}), "the field of a status that is not among them is made anew"),
    ("proxy/http2/message/trailers.py", "if known_line is not None and known_line in known:"): (
        frozenset({"or"}),
        "where the line is forgotten, its field is made anew, and goes as well",
    ),
    ("proxy/http2/message/write.py", 'self._host_field = HeaderField(b"x-forwarded-host", b"")'): (
        frozenset({"b'q-forwarded-host'", "pass"}),
        "it is made anew for the first host, which is never empty",
    ),
    **{
        ("proxy/http2/hpack/huffman.py", line): (frozenset({"(4)"}), "no symbol has four bits")
        for line in ("bits = 5", "bits = 5  # of the shortest code")
    },
    ("proxy/http2/hpack/huffman.py", "_ALONE: Final = _SHORT[3]"): (
        frozenset({"(2)"}),
        "a symbol of so few bits is a byte from 32 on, which is more than the bits that are left; " + _TREE,
    ),
    ("proxy/http2/hpack/huffman.py", "while left >= 5:"): (
        frozenset({">", "(4)", "(6)"}),
        "no symbol has four bits; what is left of one is no padding, so the way bit by bit reads it again",
    ),
    ("proxy/http2/hpack/huffman.py", "if held >= 6:"): (
        frozenset({">", "(5)", "(7)"}),
        "the word is written sooner or later; that 8 symbols are too many for a machine word shows compiled alone",
    ),
    ("proxy/http2/hpack/huffman.py", "padding: i64 = (1 << left) - 1"): (frozenset({"(0)", "(2)"}), _TREE),
    ("proxy/http2/hpack/huffman.py", "if left > 7 or buffer & padding != padding:"): (frozenset({">=", "(6)"}), _TREE),
    ("proxy/http2/hpack/huffman.py", 'return out[0] if len(out) == 1 else b"".join(out)'): (
        frozenset({"(-1)"}),
        "the first of one is the last",
    ),
    ("proxy/http2/hpack/encoder.py", "self._oldest = 1  # the number of the oldest that is still there"): (
        frozenset({"(2)"}),
        "the oldest field is found by its text instead",
    ),
    ("proxy/http2/hpack/encoder.py", "out.append(INDEXED[index] if index < 256 else integer(127, 0x80, index))"): (
        frozenset({"(255)", "(129)"}),
        _TABLE_OR_PREFIX,
    ),
    ("proxy/http2/hpack/encoder.py", "out.append(LENGTHS[size] if size < 256 else integer(127, 0, size))"): (
        frozenset({"(255)", "(1)"}),
        _TABLE_OR_PREFIX,
    ),
    ("proxy/http2/hpack/decoder.py", "is_indexed = first >= 0x40"): (
        frozenset({"(63)"}),
        "0x3f begins an update, not a literal",
    ),
    ("proxy/http2/hpack/decoder.py", "size = block[start] & 0x7F if start < end else 0x7F"): (
        frozenset({"(126)", "(128)"}),
        "nothing follows, which the string's own check says",
    ),
    ("proxy/http2/hpack/decoder.py", "if first >= 0x80:"): (
        frozenset({">", "(129)"}),
        "0x80 is the empty string, the same in either code",
    ),
    (
        "proxy/http2/hpack/decoder.py",
        "if start >= end or not 0x80 < block[start] <= 0x80 + _LONGEST_CODE:",
    ): (frozenset({"<=", "(127)", "(129)"}), "a name of no byte or one is the same object anyway"),
    ("proxy/http1/message/request.py", "if request.host or request.minor == 1:"): (frozenset({"(2)"}), _HAS_HOST),
    (
        "proxy/http1/message/request.py",
        "if (request.host or request.minor == 1) and parse_authority(request.host) is None:",
    ): (frozenset({"(2)"}), _HAS_HOST),
    (
        "proxy/listener/app_calls/linking.py",
        "asker.process = max(found.get(ends, NOBODY), NOBODY) if ends is not None and found else NOBODY",
    ): (frozenset({"or"}), "what is not found is nobody's process, too"),
    (
        "proxy/listener/client_bounds.py",
        "return not most or self._connections.get(client, 0) < most or not self._is_bounded(client)",
    ): (frozenset({"(-1)"}), "both are below any number of which one may be had"),
    ("proxy/listener/reports/reporter.py", "self._next_id = randbits(64)"): (
        frozenset({"(63)", "(65)"}),
        "it is random, and what follows it has 64 bits either way",
    ),
    (
        "proxy/http1/message/section.py",
        r'if buffer.find(_END, max(0, known - 3)) >= 0 or buffer.startswith(b"\r\n"):',
    ): (
        frozenset({"(1)", ">", "(4)"}),
        "an end at the very start begins with CRLF, too; one that was there before has ended an earlier section",
    ),
    (
        "proxy/http1/message/section.py",
        "unsearched = max(0, known - 1)  # the LF of a CR at the very end may have come",
    ): (frozenset({"(2)"}), "what is legal before one more byte was legal already, and no line has ended there"),
    ("proxy/http1/message/section.py", "if self.line_end < 0:"): (
        frozenset({"<=", "(1)"}),
        "a first line that ends at the very start is the end of the section",
    ),
    **{
        ("proxy/http2/connection.py", line): (
            frozenset({other}),
            "what resuming writes asks for a flush already, and there is more only behind what it writes",
        )
        for line, other in (("if self.engine.has_more:", "not (self.engine.has_more)"), ("self.wants_flush()", "pass"))
    },
    ("proxy/participation/trust.py", "if peers is not None and not (address and peers.find(address, 0)):"): (
        frozenset({"(-1)"}),
        "no pattern has a port below 0, and one without is found by any",
    ),
    (
        "proxy/console/server/api.py",
        'if request.content_type != "application/json" or (request.content_length or 0) > _MOST_LOGIN_BYTES:',
    ): (frozenset({"(1)", "(-1)"}), "neither is more than a login may have"),
    ("ops_lib/capture/render.py", "if kind is list or kind is tuple:"): (
        frozenset({"and", "is not"}),
        "the loops below know both as well, and come to the same text",
    ),
    (
        "ops_lib/export/trace_text.py",
        'f"{nanoseconds / size:.3g} {unit}" if nanoseconds < 100 * size else f"{nanoseconds / size:.0f} {unit}"',
    ): (frozenset({"(101)", "<="}), "from 100 to 101 both forms have three digits"),
    ("proxy/transport/aside.py", "self._at = 0  # the bytes before it are taken"): (
        frozenset({"(1)", "(-1)"}),
        "there are no bytes yet, so a slice from anywhere is as empty, and what comes first sets it",
    ),
    (
        "proxy/console/query/detail.py",
        'rest = (_ms(said, "ops.duration_us") or 0.0) - queue - (connect or 0.0) - (head or 0.0)',
    ): (frozenset({"(-1.0)"}), "what is less than nothing is told as nothing"),
    (
        "proxy/console/query/detail.py",
        "body = max(0.0, round(rest, 3)) if head is not None else None  # whole microseconds, as they came",
    ): (frozenset({"(4)"}), "of whole microseconds, the fourth place is what floats add"),
    ("proxy/explain/by_plan.py", "translators = Translators(listener, None, lambda: 0.0)"): (
        frozenset({"(1.0)", "(-1.0)"}),
        "what is explained is one request: none came before it, so nobody asks for the time",
    ),
    (
        "proxy/explain/by_plan.py",
        '_UNLISTED: Final = "host.invalid"  # RFC 6761, 6.4; for a request whose host is not known',
    ): (frozenset({"'qost.invalid'"}), "any name that no setting lists"),
    **{
        ("proxy/telemetry/otlp/sender.py", line): (frozenset(others), "the key under which its time is kept, no more")
        for line, *others in (
            ('self._tell("refused", f"{self._endpoint} refuses {self._what}: {trouble}")', "'qefused'"),
            (
                'self._tell("failed", f"{self._what} cannot be sent to {self._endpoint}: {trouble}; trying again")',
                "'qailed'",
            ),
            (
                'self._tell("partial", f"{self._endpoint} did not take {rejected} {self._what}: {partial.message}")',
                "'qartial'",
            ),
        )
    },
    ("proxy/telemetry/otlp/sender.py", "wait_s = max(wait_s or 0.0, backoff_s(self._failures, self._chance))"): (
        frozenset({"(-1.0)"}),
        "the pause after a failure is half a second at least",
    ),
    (
        "proxy/telemetry/otlp/sender.py",
        "compressor = zlib.compressobj(1, zlib.DEFLATED, 31)  # 31: a gzip header; level 1, for speed",
    ): (frozenset({"(30)", "(2)"}), "gzip says the same by another window or level"),
    ("proxy/telemetry/otlp/sender.py", "rejected = min(max(partial.rejected, 0), batch.spans)"): (
        frozenset({"(-1)"}),
        "what was read has no sign",
    ),
    ("proxy/telemetry/otlp/span.py", "self.varints = [varint(size) for size in range(4096)]"): (
        frozenset({"(4097)"}),
        "what is not looked up is worked out",
    ),
    (
        "proxy/telemetry/otlp/span.py",
        'return b"\\x12" + (shared.varints[size] if size < 4096 else varint(size)) + data',
    ): (frozenset({"(4095)"}), "what is not looked up is worked out"),
    (
        "proxy/telemetry/otlp/span.py",
        'self._last_alike: _Alike = ("", b"", b"", b"", -1, "", False, -1), b"", b""',
    ): (frozenset({"(0)", "(2)"}), "no request has an empty method"),
    ("proxy/telemetry/otlp/span.py", 'self._last = b""  # fixed part, host and agent of the last span'): (
        frozenset({"pass"}),
        _FIRST,
    ),
    (
        "proxy/telemetry/report/channel.py",
        "self._report_at = self._whole_at = -inf  # when there is a report, and when all is told again",
    ): (frozenset({"pass"}), _FIRST),
    ("proxy/telemetry/report/channel.py", "self._most_bytes = 0  # that exchanges may hold"): (
        frozenset({"pass", "(1)", "(-1)"}),
        _FIRST,
    ),
    ("proxy/telemetry/report/channel.py", "self._past = Sent(self._past.sent + one.sent, dropped, 0)"): (
        frozenset({"(1)", "(-1)"}),
        "what waits is counted anew",
    ),
    ("proxy/cli/check.py", "compile_plan(loaded.settings, 1)"): (
        frozenset({"(0)", "(2)"}),
        "the plan is thrown away; what it has no part in is its number",
    ),
    (
        "proxy/cli/help.py",
        'found[0] for flag in unknown if (found := difflib.get_close_matches(flag.partition("=")[0], known, n=1))',
    ): (frozenset({"(2)", "(-1)"}), "the first of two is the first of one"),
    ("proxy/telemetry/log.py", 'level = {"levelno": logging.INFO, "levelname": "INFO"}'): (
        frozenset({"'qevelno'"}),
        "JSON tells the level's name alone",
    ),
    **{
        (path, "context.minimum_version = ssl.TLSVersion.TLSv1_2"): (
            frozenset({"pass"}),
            "Python's own default since 3.10; it is there to be read",
        )
        for path in ("proxy/plan/tls.py", "proxy/kubernetes/webhook/server.py")
    },
    ("proxy/translate.py", "self.losses_of_traits = tuple(map(losses_of, range(ALL_TRAITS + 1)))"): (
        frozenset({"(2)"}),
        "no translation has more traits than all",
    ),
    ("proxy/participation/entry.py", "found.append((name, values[0]))"): (
        frozenset({"(-1)"}),
        "the first of one is the last",
    ),
    ("proxy/kubernetes/manifests.py", "yaml.width = 1_000_000"): (
        frozenset({"(999999)", "(1000001)"}),
        "any width that no line has",
    ),
    (
        "proxy/kubernetes/manifests.py",
        'if text.lstrip("- \\n").startswith("{") and isinstance(value, CommentedMap) and value.fa.flow_style():',
    ): (frozenset({"'- \\nx'"}), "a mapping in braces does not follow an x"),
    (
        "proxy/admin/hosts.py",
        "return self._table.find(name, int(port) if port and port.isdecimal() else 0) is not None",
    ): (frozenset({"(-1)"}), "no pattern has this port either"),
    (
        "proxy/telemetry/report/channel.py",
        "until = loop.time() + max((pipeline.plan.flush_s for pipeline in pipelines), default=0.0) + _GRACE_S",
    ): (frozenset({"(1.0)", "(-1.0)"}), "where there is no pipeline, nobody is waited for"),
    ("proxy/participation/mirror.py", '_APP: Final = "the app"  # not a host: it has a blank'): (
        frozenset({"'qhe app'"}),
        "any text that is not a host",
    ),
    (
        "proxy/translate.py",
        "made = self.translate_in_full([header for header in headers if header[0] not in foreign], rest, behind)",
    ): (frozenset({"(1)", "(-1)"}), "no propagator reads headers of another family; to leave them out saves time"),
    ("proxy/cli/explain.py", "answers = explain(compile_plan(settings, 1), headers, question)"): (
        frozenset({"(0)", "(2)"}),
        "no answer tells the plan's generation",
    ),
    ("proxy/console/forward/forwarder.py", "wait_s = retry_after_s(answer.retry_after, time.time()) or 0.0"): (
        frozenset({"(-1.0)"}),
        "our own pause is never below 0, and the longer one counts",
    ),
    ("proxy/console/store/senders.py", "if there > _MOST_SIDECARS:"): (
        frozenset({">="}),
        "as many as may be there: then none is asked for",
    ),
    ("proxy/cli/views/trace.py", 'print("\\n".join(waterfall(said, shutil.get_terminal_size((100, 0)).columns)))'): (
        frozenset({"(1)", "(-1)"}),
        "only the columns count",
    ),
    ("proxy/kubernetes/webhook/admission.py", 'place = Place(0, (), {"apiVersion": "v1", "kind": "Pod", **pod})'): (
        frozenset({"(1)", "(-1)", "'qpiVersion'", "'q1'"}),
        "the one place is not numbered; without a group, any version is of the core",
    ),
    (
        "proxy/kubernetes/webhook/admission.py",
        'Result = Literal["injected", "restored", "unchanged", "skipped", "failed"]',
    ): (
        frozenset({"'qnjected'", "'qestored'", "'qnchanged'", "'qkipped'", "'qailed'"}),
        "for type checkers alone, which refuse the other",
    ),
    ("proxy/console/server/grpc_call.py", "self._size = 0"): (
        frozenset({"(1)", "(-1)", "pass"}),
        "a call ends once: then its stream has another user",
    ),
    (
        "proxy/console/server/intake.py",
        "digest = hashlib.blake2b(body, digest_size=16, key=signal.encode()).digest()",
    ): (frozenset({"(15)", "(17)"}), "no two bodies have the same digest, of any such size"),
    ("proxy/kubernetes/webhook/run.py", "return Address(*runner.addresses[0][:2])"): (
        frozenset({"(-1)"}),
        "an address has one socket",
    ),
    ("proxy/dataplane/plane.py", "await asyncio.sleep(min(TICK_S, max(0.0, until - loop.time())))"): (
        frozenset({"(-1.0)"}),
        "a pause that is over has no length either way",
    ),
    ("proxy/http2/engine/client.py", "stream.is_full = False"): (
        frozenset({"pass"}),
        "what is so much that its user is told does not fit into one frame",
    ),
    ("proxy/console/store/retention.py", "if not found and not gone:"): (
        frozenset({"or", "bool(found)", "bool(gone)"}),
        "nothing of reports leaves by that age",
    ),
    ("proxy/console/store/retention.py", "_remove_items(connection, 0, key << SHIFT)"): (
        frozenset({"(1)", "(-1)"}),
        "keys of traces begin with 1, and what is in them with 1 << 20",
    ),
    ("proxy/http1/message/runs.py", "self.size = 0  # of what follows"): (frozenset({"(-1)", "(1)", "pass"}), _FIRST),
    (
        "proxy/cli/check.py",
        "width = min(max((len(left) for left, _ in rows), default=0), 72)",
    ): (frozenset({"(-1)", "(1)"}), "where there is no row, nothing is padded"),
    (
        "proxy/kubernetes/injection/edits.py",
        "depth = next((depth for depth in range(1, len(path)) if self.get(*path[:depth]) is None), len(path))",
    ): (frozenset({"(0)"}), "what is at no steps is the document itself, which is never None"),
    ("proxy/telemetry/otlp/sender.py", "self._until = 0.0  # while it stops: when it has to end"): (
        frozenset({"(-1.0)", "(1.0)", "pass"}),
        _FIRST,
    ),
}


def means_the_same(path: str, line: str, replacement: str) -> bool:
    """Whether `replacement` of a piece of `line` changes nothing."""
    replacements, _ = SAME.get((path, line.strip()), (frozenset(), ""))
    return replacement in replacements
