"""Prometheus metrics of connections."""

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter


def connection_counter(registry: CollectorRegistry) -> Callable[[str], None]:
    """What counts a connection that was closed for a reason. The reasons are those of `bento/connections`.

    Args:
        registry: gets the metric.
    """
    closed = Counter(
        "loan_http_connections_closed", "Connections that the service ended.", ("reason",), registry=registry
    )
    return lambda reason: closed.labels(reason).inc()
