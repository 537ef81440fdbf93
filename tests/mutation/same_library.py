"""Of `same`, the part for the library: names that nobody reads, words for type checkers, what comes to the same."""

from __future__ import annotations

from typing import Final

OF_THE_LIBRARY: Final[dict[tuple[str, str], tuple[frozenset[str], str]]] = {
    **{
        (path, line): (frozenset(others), "for type checkers alone, which refuse the other")
        for path, line, *others in (
            (
                "ops_lib/capture/scrubbing.py",
                'Role: TypeAlias = Literal["secret", "names", "holds", "none"]',
                *("'qecret'", "'qames'", "'qolds'", "'qone'"),
            ),
            (
                "ops_lib/propagation/baggage.py",
                'BaggageMode = Literal["translate", "pass", "drop"]',
                *("'qranslate'", "'qass'", "'qrop'"),
            ),
            (
                "ops_lib/propagation/families.py",
                'Cargo = Literal["trace", "session", "baggage"]',
                *("'qrace'", "'qession'", "'qaggage'"),
            ),
            (
                "ops_lib/headers/context_propagator.py",
                "PropagatorFormat: TypeAlias = "
                'Literal["tracecontext", "grpc-trace-bin", "b3", "b3multi", "jaeger", "composite"]',
                *("'qracecontext'", "'qrpc-trace-bin'", "'q3'", "'q3multi'", "'qaeger'", "'qomposite'"),
            ),
            (
                "ops_lib/propagation/fast/shapes.py",
                'Match = Callable[[Any], "re.Match[Any] | None"]',
                "'qe.Match[Any] | None'",
            ),
        )
    },
    **{
        (path, line): (frozenset({other}), "the name is seen in the variable's repr alone")
        for path, line, other in (
            (
                "ops_lib/logs.py",
                '_in_logger: ContextVar[bool] = ContextVar("ops-in-logger", default=False)',
                "'qps-in-logger'",
            ),
            (
                "ops_lib/export/steady.py",
                '_exporting: ContextVar[bool] = ContextVar("ops-exporting", default=False)',
                "'qps-exporting'",
            ),
            (
                "ops_lib/integrations/aiohttp.py",
                '_within: ContextVar[ref[Any] | None] = ContextVar("ops_aiohttp_within", default=None)',
                "'qps_aiohttp_within'",
            ),
            (
                "ops_lib/integrations/grpc/client.py",
                '_within: ContextVar[bool] = ContextVar("ops_grpc_within", default=False)',
                "'qps_grpc_within'",
            ),
        )
    },
    **{
        (path, line): (frozenset({other}), "an attribute of our own on a stranger: any name does")
        for path, line, other in (
            (
                "ops_lib/decorator/bound.py",
                'TRACED: Final = "_ops_traced"  # on a function: the TracedFunction that it belongs to',
                "'_qps_traced'",
            ),
            (
                "ops_lib/integrations/grpc/server.py",
                '_TRACED = "_ops_traced"  # on a behaviour: a second interceptor adds nothing',
                "'_qps_traced'",
            ),
            (
                "ops_lib/logs.py",
                '_BEFORE: Final = "_ops_lib_before"  # on each of our patches: the original',
                "'_qps_lib_before'",
            ),
            ("ops_lib/integrations/patches.py", '_SLOT = "_ops_slot_"', "'_qps_slot_'"),
        )
    },
    **{
        ("ops_lib/propagation/registry.py", line): (
            frozenset(others),
            "so close to the format's name that it is understood as well",
        )
        for line, *others in (
            (
                '"tracecontext": ("w3c", "traceparent", "trace-context", "trace_context", "tracestate", "otel", '
                '"opentelemetry"),',
                *("'qraceparent'", "'qrace-context'", "'qrace_context'", "'qracestate'"),
            ),
            ('"b3multi": ("b3-multi", "b3_multi", "multi"),', "'q3-multi'", "'q3_multi'", "'qulti'"),
            ('"jaeger": ("uber", "uber-trace-id", "jaegertracing"),', "'qaegertracing'"),
            (
                '"grpc-trace-bin": ("grpc", "grpc_trace_bin", "opencensus", "oc", "binary"),',
                "'qrpc_trace_bin'",
            ),
        )
    },
    (
        "ops_lib/propagation/fast/shapes.py",
        "if tracestate is not None or baggage is not None or len(told) > 1:",
    ): (frozenset({"(0)"}), "of one format there are no further flags, and its parent's id is found either way"),
    (
        "ops_lib/capture/known.py",
        'return repr(value) if value.dtype.kind in "biufcMm" else None  # other arrays may hold objects',
    ): (
        frozenset({"'qiufcMm'"}),
        "a bool has become Python's own before",
    ),
    (
        "ops_lib/propagation/families.py",
        "_EXACT: Final = {name: family for family, names in FAMILIES.items() for name in names "
        'if not name.endswith("*")}',
    ): (frozenset({"'*x'"}), "a name with a star is found by its prefix as well"),
    ("ops_lib/spans/unrecorded.py", "_FLAGS = tuple(TraceFlags(bits) for bits in range(4))"): (
        frozenset({"(5)"}),
        "there are two flags: the largest is 3",
    ),
    **{
        ("ops_lib/context/current.py", f'{name}: Final = otel_context.create_key("{key}")'): (
            frozenset({f"'q{key[1:]}'"}),
            "OpenTelemetry makes each key unique by itself",
        )
        for name, key in (
            ("SESSION_KEY", "ops-session"),
            ("EXTRACTION_KEY", "ops-extraction"),
            ("TRACER_KEY", "ops-tracer"),
        )
    },
    ("ops_lib/capture/bounds.py", '_WORD: Final = string.ascii_letters + string.digits + "_-.+~="'): (
        frozenset({"'_-.+~=x'"}),
        "the letter is among them already",
    ),
    ("ops_lib/capture/shapes.py", '_SHORTEST: Final = len("?sig=x")  # of the texts that hold one of them'): (
        frozenset({"'?qig=x'"}),
        "its length alone counts",
    ),
    (
        "ops_lib/headers/context_propagator.py",
        "session_id = session if session is None or session.__class__ is str else session_id_of(context)",
    ): (frozenset({"and"}), "for speed: the function, which is asked then, says the same of both"),
    **{
        (path, "def force_flush(self, timeout_millis: int = 30000) -> bool:"): (
            frozenset({"(30001)", "(29999)"}),
            "nothing waits there",
        )
        for path in ("ops_lib/export/console.py",)
    },
}
