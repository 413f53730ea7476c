"""OpenTelemetry traces, if a collector is configured: one span per request, without personal data.

BentoML's own middleware is off, because it puts raw paths and queries into its spans.
"""

from collections.abc import Iterable, Mapping
from typing import Any

ATTRIBUTES = {
    "method": "http.request.method",
    "route": "http.route",
    "status": "http.response.status_code",
    "problem": "error.type",
}


class Traces:
    """Sends spans to a collector over OTLP/HTTP, from a thread.

    Spans wait in a bounded queue. No response waits for them.

    Args:
        endpoint: URL of the collector, such as http://127.0.0.1:4318.
        portfolio: its name.
    """

    def __init__(self, endpoint: str, portfolio: str) -> None:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
        from opentelemetry.trace import SpanKind, Status, StatusCode
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        resource = Resource.create({"service.name": "loan_service", "loan.portfolio": portfolio})
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        exporter = OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces")
        self._provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1_000))
        self._tracer = self._provider.get_tracer("loan_platform.service")
        self._propagator, self._kind = TraceContextTextMapPropagator(), SpanKind.SERVER
        self._error = Status(StatusCode.ERROR)

    def add(
        self, fields: Mapping[str, Any], headers: Iterable[tuple[bytes, bytes]], started_at: float, seconds: float
    ) -> None:
        """Add the span of one request.

        Args:
            fields: as in the log line.
            headers: of the request. Only `traceparent` is read, because `tracestate` is free text.
            started_at: seconds since the epoch.
            seconds: duration of the request.
        """
        parents = [value.decode("latin-1") for name, value in headers if name == b"traceparent"]
        context = self._propagator.extract({"traceparent": parents[0]}) if len(parents) == 1 else None
        span = self._tracer.start_span(
            f"{fields['method']} {fields['route']}",
            context=context,
            kind=self._kind,
            attributes={ATTRIBUTES.get(name, f"loan.{name}"): value for name, value in fields.items()},
            start_time=int(started_at * 1e9),
        )
        if fields["status"] >= 500:
            span.set_status(self._error)
        span.end(int((started_at + seconds) * 1e9))

    def close(self) -> None:
        """Send the waiting spans."""
        self._provider.shutdown()
