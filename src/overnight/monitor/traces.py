"""Attempts and tasks as traces of OpenTelemetry, sent to a collector by OTLP over HTTP.

The libraries come with ``overnight[otel]`` and are loaded when there is something to send. Their settings count
as everywhere (OTEL_EXPORTER_OTLP_HEADERS and the like), but for the address, which is ours.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence

import msgspec

from overnight.core.errors import NotFoundError, OvernightError
from overnight.core.monitor.spans import Belonging, EndedLine, Span, of_attempt, of_task
from overnight.core.secrets import shown_address
from overnight.core.version import VERSION
from overnight.store.contract import Store

_NANO = 1e9


class UndeliveredError(OvernightError):
    """Somebody outside does not listen. It will be told again; no task knows of it."""


class Traces:
    """Listens for what became of attempts and tasks.

    Args:
        endpoint: Address of the collector, as in ``http://127.0.0.1:4318/v1/traces``.
        store: Knows which queue and workflow a task belongs to, and when it was added.
        home: Name of the home, the same for ever.
        instance: What it is called in the traces.
    """

    position = "traces_seq"

    def __init__(self, endpoint: str, store: Store, *, home: str, instance: str) -> None:
        self.name = f"what goes to {shown_address(endpoint)}"
        self._endpoint = endpoint
        self._store = store
        self._home = home
        self._instance = instance
        self._decode = msgspec.json.Decoder(EndedLine).decode

    def prepare(self, lines: Sequence[bytes]) -> Sequence[Span]:
        """The spans of these lines."""
        ended = [line for raw in lines if b'"outcome":' in raw and (line := self._read(raw)) is not None]
        places = self._store.places({line.id for line in ended})
        return [span for line in ended for span in self._spans(line, Belonging(self._home, *_of(line, places)))]

    def _read(self, raw: bytes) -> EndedLine | None:
        try:
            return self._decode(raw)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return None  # it tells of something else, or is damaged

    def _spans(self, line: EndedLine, where: Belonging) -> list[Span]:
        spans = [of_attempt(line, where)]
        if line.is_over:
            began = line.started_at or line.at
            try:
                added_at = self._store.get(line.id).added_at
            except NotFoundError:  # it was removed meanwhile
                added_at = began.timestamp()
            spans.append(of_task(line, where, added_at=added_at))
        return [span for span in spans if span is not None]

    def deliver(self, told: Sequence[Span]) -> None:
        """Send them.

        Raises:
            UndeliveredError: The collector does not take them, or the libraries are not there.
        """
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.trace.export import SpanExportResult
        except ImportError as error:
            raise UndeliveredError(f"{error}; traces need pip install 'overnight[otel]'") from error
        if not told:
            return
        exporter = OTLPSpanExporter(endpoint=self._endpoint)
        try:
            result = exporter.export(_as_they_have_them(told, self._instance))
        finally:
            exporter.shutdown()  # type: ignore[no-untyped-call]  # the library is not typed here
        if result is not SpanExportResult.SUCCESS:
            raise UndeliveredError("the collector does not take it")


def _of(line: EndedLine, places: dict[int, tuple[str, str]]) -> tuple[str, str]:
    return places.get(line.id, ("", ""))


def _as_they_have_them(spans: Sequence[Span], instance: str):  # type: ignore[no-untyped-def]  # noqa: ANN202 - of a library that may not be there
    """Spans of ours as theirs, which have ended long ago."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import SpanContext, Status, StatusCode, TraceFlags

    resource = Resource.create(
        {
            "service.name": "overnight",
            "service.version": VERSION,
            "service.instance.id": instance,
            "host.name": platform.node(),
        }
    )
    scope = InstrumentationScope("overnight", VERSION)

    def context(trace: int, span: int) -> SpanContext:
        return SpanContext(trace, span, is_remote=False, trace_flags=TraceFlags(TraceFlags.SAMPLED))

    return [
        ReadableSpan(
            span.name,
            context(span.trace, span.id),
            parent=None if span.parent is None else context(span.trace, span.parent),
            resource=resource,
            attributes=span.attributes,
            status=Status(StatusCode.OK) if span.error is None else Status(StatusCode.ERROR, span.error),
            start_time=int(span.began * _NANO),
            end_time=int(span.ended * _NANO),
            instrumentation_scope=scope,
        )
        for span in spans
    ]
