"""Answers per second of the service, held against others on this machine in one run.

    python benchmarks/serving.py --home <platform home with a champion> --book lending_club
    python benchmarks/serving.py --home ... --soak 600        # 200 requests a second, open loop
    python benchmarks/serving.py --home ... --many 1000       # rows in one request
    python benchmarks/serving.py --home ... --kills 10        # until a lone worker is back
    python benchmarks/serving.py --home ... --endure 1500     # memory over as many requests as that many seconds hold
    python benchmarks/serving.py --home ... --silent 1800     # the same while the registry never answers
    python benchmarks/serving.py --home ... --flood 1 2 5     # times as much as it can answer

Each server has one worker and one core; the client has another. Applications are test rows of the champion's training.
"""

import argparse
import asyncio
import json
import os
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import numpy as np
from flood import flood
from load import Load, closed_loop, open_loop, request, resident
from servers import applications, listener, uvicorn, wait

from loan_platform.adapters.service.api_keys import KeyFile
from loan_platform.adapters.service.ports import free_port
from loan_platform.settings.service import ServiceSettings

BIN = Path(sys.executable).parent
ROOT = Path(__file__).parents[1]
CONNECTIONS = (1, 8, 32)
SERVER_CORE, CLIENT_CORE = 0, 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", required=True)
    parser.add_argument("--book", default="lending_club")
    parser.add_argument("--seconds", type=float, default=5.0, help="of each measurement")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--soak", type=float, help="seconds at --rate requests a second")
    parser.add_argument("--endure", type=float, help="seconds at 8 connections")
    parser.add_argument("--silent", type=float, help="seconds at --rate requests a second without a registry")
    parser.add_argument("--rate", type=float, default=200.0)
    parser.add_argument("--many", type=int, help="rows of one request to /invocations")
    parser.add_argument("--kills", type=int, help="of the only worker")
    parser.add_argument("--flood", type=float, nargs="+", help="multiples of the peak that are asked for")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {CLIENT_CORE})
    with tempfile.TemporaryDirectory(prefix="serving-") as scratch:
        bench = Bench(Path(arguments.home).resolve(), arguments.book, Path(scratch))
        if arguments.soak:
            bench.soak(arguments.rate, arguments.soak)
        elif arguments.endure:
            bench.endure(arguments.endure, arguments.rate)
        elif arguments.silent:
            bench.silent(arguments.rate, arguments.silent)
        elif arguments.many:
            bench.many(arguments.many)
        elif arguments.kills:
            bench.kills(arguments.kills)
        elif arguments.flood:
            bench.flood(arguments.flood, arguments.seconds)
        else:
            bench.compare(arguments.rounds, arguments.seconds)


class Bench:
    """The servers and what is asked of them."""

    def __init__(self, home: Path, book: str, scratch: Path) -> None:
        self.book = book
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

    def compare(self, rounds: int, seconds: float) -> None:
        """Requests per second of all, at each number of connections."""
        values = np.random.default_rng(0).normal(size=(100, 25)).tolist()
        bare = [request("/predict", json.dumps({"features": row}).encode(), {}) for row in values]
        three = {"income": 52_000, "loan_amount": 12_000, "credit_score": 690}
        by_mlflow = [json.dumps({"dataframe_records": [row]}).encode() for row in self.applications]
        plans: dict[str, tuple[Callable[[int], list[str]], Sequence[bytes]]] = {
            "this service": (self._service, self._requests()),
            "this service, /invocations": (
                self._service,
                [request("/invocations", body, self.headers) for body in by_mlflow],
            ),
            "mlflow models serve": (self._mlflow, [request("/invocations", body, {}) for body in by_mlflow]),
            "FastAPI, pandas, 3 inputs": (
                lambda port: uvicorn("frames", port),
                [request("/predict", json.dumps(three).encode(), {})],
            ),
            "FastAPI, bare, ready features": (lambda port: uvicorn("bare", port), bare),
        }
        rates: dict[tuple[str, int], list[float]] = {}
        for _ in range(rounds):
            for name, (command, requests) in plans.items():
                with self._running(command) as (port, _):
                    asyncio.run(closed_loop(port, requests, 8, 2.0))
                    for connections in CONNECTIONS:
                        load = asyncio.run(closed_loop(port, requests, connections, seconds))
                        print(f"{name:30} {connections:3} connections {load}", flush=True)
                        rates.setdefault((name, connections), []).append(load.rate)
        for name in plans:
            medians = {c: statistics.median(rates[name, c]) for c in CONNECTIONS}
            ratios = {c: statistics.median(rates["this service", c]) / medians[c] for c in CONNECTIONS}
            shown = "  ".join(f"{c}: {medians[c]:.0f}/s (x{ratios[c]:.2f})" for c in CONNECTIONS)
            print(f"{name:30} {shown}")

    def soak(self, rate: float, seconds: float) -> None:
        """Latency and memory at a fixed rate."""
        with self._running(self._service) as (port, process):
            asyncio.run(closed_loop(port, self._requests(), 8, 5.0))
            self._steady(port, process, rate, seconds)

    def endure(self, seconds: float, rate: float) -> None:
        """Memory as requests add up; it goes up and down over a hundred thousand of them, so minutes say little."""
        with self._running(self._service) as (port, process):
            asyncio.run(closed_loop(port, self._requests(), 8, 10.0))
            answered, memory = [0], [resident(process)]
            for _ in range(round(seconds / 10)):
                load = asyncio.run(closed_loop(port, self._requests(), 8, 10.0))
                answered.append(answered[-1] + load.statuses[200])
                memory.append(resident(process))
            first = len(memory) // 3
            slope = np.polyfit(answered[first:], memory[first:], 1)[0]
            print(f"{answered[-1]} requests: {min(memory):.1f} to {max(memory):.1f} MB")
            print(f"{slope * rate * 3_600:+.2f} MB after a third, for as many as {rate:g}/s are in an hour")

    def silent(self, rate: float, seconds: float) -> None:
        """A start, and answers at a fixed rate, while the registry takes connections and says nothing."""
        with self._running(self._service):
            pass  # leaves a verified copy of the champion
        with socket.socket() as registry:
            registry.bind(("127.0.0.1", 0))
            registry.listen()
            url = f"postgresql://nobody@127.0.0.1:{registry.getsockname()[1]}/none"
            started = time.perf_counter()
            with self._running(self._service, LOAN_LEDGER_URL=url) as (port, process):
                print(f"ready {time.perf_counter() - started:.1f} s after the start", flush=True)
                self._steady(port, process, rate, seconds)

    def _steady(self, port: int, process: int, rate: float, seconds: float) -> None:
        load, memory = asyncio.run(open_loop(port, self._requests(), rate, seconds, process))
        print(f"{rate:g}/s asked for {seconds:g} s: {load}")
        later = [moment for moment in memory if moment[0] >= seconds / 3]
        at, megabytes = np.array(later).T
        slope = np.polyfit(at, megabytes, 1)[0] * 3_600
        print(f"memory {memory[0][1]:.1f} MB at first, {memory[-1][1]:.1f} at last; {slope:+.2f} MB/h after a third")

    def many(self, rows: int) -> None:
        """Time of many rows in one request."""
        body = json.dumps({"dataframe_records": (self.applications * (rows // len(self.applications) + 1))[:rows]})
        with self._running(self._service) as (port, _):
            load: Load = asyncio.run(closed_loop(port, [request("/invocations", body.encode(), self.headers)], 1, 10.0))
            print(f"{rows} rows in one request: {load}")

    def kills(self, times: int) -> None:
        """Seconds from the death of the only worker until another is ready."""
        import psutil

        with self._running(self._service) as (port, worker):
            supervisor, seconds = psutil.Process(worker).ppid(), list[float]()
            for _ in range(times):
                os.kill(listener(supervisor), signal.SIGKILL)
                started = time.perf_counter()
                wait(port, None, "/readyz")
                seconds.append(time.perf_counter() - started)
                time.sleep(1)
            print(
                f"ready again after {min(seconds):.1f} to {max(seconds):.1f} s, median {statistics.median(seconds):.1f}"
            )

    def flood(self, multiples: Sequence[float], seconds: float) -> None:
        """What is answered when more is asked than can be, on 400 connections."""
        headers = [f"{name}: {value}" for name, value in self.headers.items()]
        with self._running(self._service) as (port, _):
            asyncio.run(closed_loop(port, self._requests(), 32, 2.0))
            peak = asyncio.run(closed_loop(port, self._requests(), 32, seconds)).rate
            print(f"peak {peak:.0f}/s")
            for multiple in multiples:
                found = flood(port, self.applications[0], multiple * peak, seconds, headers, path="/api/v1/predict")
                load, probes = Load(found.seconds, found.statuses, found.wall), Load(found.probes)
                print(
                    f"x{multiple:g}: {load} of peak {load.rate / peak:.0%}; probes p99 {probes.percentile(0.99):.0f} ms"
                )

    def _requests(self) -> list[bytes]:
        bodies = [json.dumps(row).encode() for row in self.applications]
        return [request("/api/v1/predict", body, self.headers) for body in bodies]

    def _service(self, port: int) -> list[str]:
        return [str(BIN / "bentoml"), "serve", "bento.service:LoanService", "--host", "127.0.0.1", "--port", str(port)]

    def _mlflow(self, port: int) -> list[str]:
        uri = f"models:/{self.book}@production"
        return [str(BIN / "mlflow"), "models", "serve", "-m", uri, "--env-manager", "local", "--port", str(port)]

    @contextmanager
    def _running(self, command: Callable[[int], list[str]], **more: str) -> Iterator[tuple[int, int]]:
        """Port, and the process that answers."""
        port = free_port()
        process = subprocess.Popen(
            ["taskset", "-c", str(SERVER_CORE), *command(port)],
            cwd=ROOT,
            env={**self.environment, **more},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            wait(port, process)
            yield port, listener(process.pid)
        finally:
            os.killpg(process.pid, signal.SIGTERM)
            with suppress(subprocess.TimeoutExpired):
                process.wait(20)
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)


if __name__ == "__main__":
    main()
