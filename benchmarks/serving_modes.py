"""Measurements of the service alone: latency, memory, recovery and overload."""

import asyncio
import json
import os
import signal
import socket
import statistics
import time
from collections.abc import Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import psutil
from flood import flood
from load import Load, closed_loop, open_loop, request, resident
from network_attack import attacked, probed
from servers import BIN, applications, running, service_command, wait_until_ready, worker_of

from loan_platform.adapters.service.api_keys import KeyFile
from loan_platform.settings.service import ServiceSettings

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

PREDICT = "/api/v1/predict"


class ServiceBench:
    """The service on a home with a champion, and requests for it.

    Args:
        home: the platform home.
        book: its portfolio.
        scratch: folder for the key file and BentoML's home.
    """

    def __init__(self, home: Path, book: str, scratch: Path) -> None:
        self.environment = os.environ | {
            "LOAN_PLATFORM_HOME": str(home),
            "LOAN_PORTFOLIO": book,
            "LOAN_KEYS": str(scratch / "keys.json"),
            "BENTOML_HOME": str(scratch / "bentoml"),
            "MLFLOW_TRACKING_URI": f"sqlite:///{home / 'mlflow.db'}",
            "MLFLOW_MODELS_WORKERS": "1",
            "PATH": f"{BIN}:{os.environ['PATH']}",
        }
        self.applications = applications(ServiceSettings.from_environment(self.environment))
        key = KeyFile(scratch / "keys.json").create("benchmark", ("predict",), rate="unlimited")
        self.headers = {"x-api-key": key}

    def requests(self) -> list[bytes]:
        """One request for each application."""
        return [request(PREDICT, json.dumps(row).encode(), self.headers) for row in self.applications]

    def soak(self, rate: float, seconds: float) -> None:
        """Latency and memory at a fixed rate."""
        with self._running() as (port, process):
            asyncio.run(closed_loop(port, self.requests(), 8, 5.0))
            self._steady(port, process, rate, seconds)

    def endure(self, seconds: float, rate: float) -> None:
        """Memory as requests add up. It goes up and down over 100,000 requests, so a few minutes say little."""
        with self._running() as (port, process):
            asyncio.run(closed_loop(port, self.requests(), 8, 10.0))
            answered, memory = [0], [resident(process)]
            for _ in range(round(seconds / 10)):
                load = asyncio.run(closed_loop(port, self.requests(), 8, 10.0))
                answered.append(answered[-1] + load.statuses[200])
                memory.append(resident(process))
            first = len(memory) // 3
            slope = np.polyfit(answered[first:], memory[first:], 1)[0]
            print(f"memory over {answered[-1]} requests: {min(memory):.1f} to {max(memory):.1f} MB")
            print(f"slope of the last two thirds: {slope * rate * 3_600:+.2f} MB per hour at {rate:g} requests/s")

    def silent(self, rate: float, seconds: float) -> None:
        """Start-up, latency and memory while the registry accepts connections and never answers."""
        with self._running():
            pass  # leaves a verified local copy of the champion
        with socket.socket() as registry:
            registry.bind(("127.0.0.1", 0))
            registry.listen()
            url = f"postgresql://nobody@127.0.0.1:{registry.getsockname()[1]}/none"
            started = time.perf_counter()
            with self._running(LOAN_LEDGER_URL=url) as (port, process):
                print(f"start-up without a registry: {time.perf_counter() - started:.1f} s", flush=True)
                self._steady(port, process, rate, seconds)

    def many(self, rows: int) -> None:
        """Latency of one request with many rows."""
        body = json.dumps({"dataframe_records": (self.applications * (rows // len(self.applications) + 1))[:rows]})
        with self._running() as (port, _):
            load = asyncio.run(closed_loop(port, [request("/invocations", body.encode(), self.headers)], 1, 10.0))
            print(f"{rows} rows in one request: {load}")

    def kills(self, times: int) -> None:
        """Seconds from the death of the only worker until another one is ready."""
        with self._running() as (port, worker):
            supervisor, seconds = psutil.Process(worker).ppid(), list[float]()
            for _ in range(times):
                os.kill(worker_of(supervisor), signal.SIGKILL)
                started = time.perf_counter()
                wait_until_ready(port, None, "/readyz")
                seconds.append(time.perf_counter() - started)
                time.sleep(1)
            spread = f"{min(seconds):.1f} to {max(seconds):.1f} s"
            print(f"ready after the death of the worker: {spread}, median {statistics.median(seconds):.1f} s")

    def flood(self, multiples: Sequence[float], seconds: float) -> None:
        """Good answers under overload, on 400 connections."""
        requests, headers = self.requests(), [f"{name}: {value}" for name, value in self.headers.items()]
        with self._running() as (port, _):
            asyncio.run(closed_loop(port, requests, 32, 2.0))
            peak = asyncio.run(closed_loop(port, requests, 32, seconds)).rate
            print(f"peak without overload: {peak:.0f}/s")
            for multiple in multiples:
                found = flood(port, self.applications[0], multiple * peak, seconds, headers, path=PREDICT)
                load = Load(found.seconds, found.statuses, found.wall)
                ready = f"p99 of readiness probes {Load(found.probes).percentile(0.99):.0f} ms"
                print(f"{multiple:g} times the peak: {load}; {load.rate / peak:.0%} of the peak; {ready}")

    def attack(self, seconds: float, connections: int, megabytes: int) -> None:
        """Probes and good answers while heads are held, heads never end and garbage is pipelined."""
        with self._running() as (port, process):
            asyncio.run(closed_loop(port, self.requests(), 8, 2.0))
            worker = psutil.Process(process)
            for name in ("before", "during"):
                started = worker.memory_info().rss
                with attacked(port, connections, megabytes) if name == "during" else nullcontext():
                    probes, load = asyncio.run(probed(port, self.requests(), seconds))
                grown = (worker.memory_info().rss - started) / 1e6
                slowest = f"p99 {probes.percentile(0.99):.0f} ms, slowest {probes.percentile(1):.0f} ms"
                print(f"{name}: {len(probes.seconds)} probes on new connections, {slowest}; memory {grown:+.0f} MB")
                print(f"{name}: {load}")

    def _steady(self, port: int, process: int, rate: float, seconds: float) -> None:
        load, memory = asyncio.run(open_loop(port, self.requests(), rate, seconds, process))
        print(f"latency at {rate:g} requests/s for {seconds:g} s: {load}")
        later = [moment for moment in memory if moment[0] >= seconds / 3]
        at, megabytes = np.array(later).T
        slope = np.polyfit(at, megabytes, 1)[0] * 3_600
        print(f"memory: {memory[0][1]:.1f} MB at the start, {memory[-1][1]:.1f} MB at the end")
        print(f"slope of the last two thirds: {slope:+.2f} MB per hour")

    def _running(self, **more: str) -> "AbstractContextManager[tuple[int, int]]":
        return running(service_command, {**self.environment, **more})
