"""Prometheus metrics of HTTP requests and of the worker processes."""

import os
import threading
from pathlib import Path

import psutil
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.multiprocess import mark_process_dead

BUCKETS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
REFRESH_SECONDS = 2.0


class HttpMetrics:
    """Requests by route, and the resources that each worker uses.

    The process collector of prometheus_client does not support several processes.

    Args:
        registry: gets the metrics.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "loan_http_requests", "Answered requests.", ("route", "method", "status"), registry=registry
        )
        self.seconds = Histogram(
            "loan_http_request_duration_seconds", "Request duration.", ("route",), buckets=BUCKETS, registry=registry
        )
        self.in_progress = Gauge(
            "loan_http_requests_in_progress", "In-flight requests.", multiprocess_mode="livesum", registry=registry
        )
        texts = {
            "cpu_seconds": "CPU time of the workers, user and system.",
            "resident_memory_bytes": "Resident memory of the workers.",
            "open_fds": "Open file descriptors of the workers.",
            "threads": "Threads of the workers.",
        }
        self._gauges = {
            name: Gauge(f"loan_process_{name}", text, multiprocess_mode="livesum", registry=registry)
            for name, text in texts.items()
        }
        self._process = psutil.Process()

    def start(self) -> None:
        """Refresh the gauges of this process from now on."""
        self.refresh()
        threading.Thread(target=self._refresh_always, name="process metrics", daemon=True).start()

    def refresh(self) -> None:
        """Update the gauges of this process, and remove those of workers that are gone."""
        with self._process.oneshot():
            cpu = self._process.cpu_times()
            self._gauges["cpu_seconds"].set(cpu.user + cpu.system)
            self._gauges["resident_memory_bytes"].set(self._process.memory_info().rss)
            self._gauges["open_fds"].set(self._process.num_fds())
            self._gauges["threads"].set(self._process.num_threads())
        if folder := os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
            pids = {int(path.stem.rpartition("_")[2]) for path in Path(folder).glob("gauge_live*_*.db")}
            for pid in pids:
                if not psutil.pid_exists(pid):
                    mark_process_dead(pid, folder)

    def _refresh_always(self) -> None:
        wait = threading.Event()
        while not wait.wait(REFRESH_SECONDS):
            self.refresh()
