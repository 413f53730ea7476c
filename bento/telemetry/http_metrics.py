"""What Prometheus is told of HTTP and of the processes."""

import os
import threading
from pathlib import Path

import psutil
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.multiprocess import mark_process_dead

SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
FRESH_SECONDS = 2.0


class HttpMetrics:
    """Requests by route, and what each worker uses; prometheus_client's own does not work with several processes."""

    def __init__(self) -> None:
        self.requests = Counter("loan_http_requests", "Requests answered.", ("route", "method", "status"))
        self.seconds = Histogram("loan_http_request_duration_seconds", "Of a request.", ("route",), buckets=SECONDS)
        self.in_progress = Gauge(
            "loan_http_requests_in_progress", "Requests without an answer yet.", multiprocess_mode="livesum"
        )
        texts = {
            "cpu_seconds": "Of the workers, user and system.",
            "resident_memory_bytes": "Of the workers.",
            "open_fds": "Of the workers.",
            "threads": "Of the workers.",
        }
        self._gauges = {
            name: Gauge(f"loan_process_{name}", text, multiprocess_mode="livesum") for name, text in texts.items()
        }
        self._process = psutil.Process()

    def start(self) -> None:
        """Keep the gauges of this process fresh."""
        self.refresh()
        threading.Thread(target=self._follow, name="process metrics", daemon=True).start()

    def refresh(self) -> None:
        """Read what this process uses, and forget workers that are gone."""
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

    def _follow(self) -> None:
        wait = threading.Event()
        while not wait.wait(FRESH_SECONDS):
            self.refresh()
