"""Throughput, latency and memory of the service, and throughput compared with other servers in the same run.

    python benchmarks/serving.py --home <platform home with a champion> --book lending_club
    python benchmarks/serving.py --home ... --soak 600        # 200 requests/s for 600 s, open loop
    python benchmarks/serving.py --home ... --many 1000       # rows in one request
    python benchmarks/serving.py --home ... --kills 10        # recovery of the only worker
    python benchmarks/serving.py --home ... --endure 1500     # memory at full load for 1500 s
    python benchmarks/serving.py --home ... --silent 1800     # as --soak, while the registry never answers
    python benchmarks/serving.py --home ... --flood 1 2 5     # multiples of the peak rate
    python benchmarks/serving.py --home ... --attack 20       # seconds of an attack from the network

Each server has one worker and one core, and the client has another core. Applications are test loans of the champion.
"""

import argparse
import asyncio
import json
import os
import statistics
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from load import closed_loop, request
from servers import BIN, CLIENT_CORE, running, service_command, uvicorn_command
from serving_modes import ServiceBench

CONNECTIONS = (1, 8, 32)
OURS = "this service"
Plans = dict[str, tuple[Callable[[int], list[str]], Sequence[bytes]]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", required=True)
    parser.add_argument("--book", default="lending_club")
    parser.add_argument("--seconds", type=float, default=5.0, help="duration of each measurement")
    parser.add_argument("--rounds", type=int, default=3, help="repetitions of the comparison")
    parser.add_argument("--rate", type=float, default=200.0, help="requests per second")
    parser.add_argument("--soak", type=float, help="seconds at --rate")
    parser.add_argument("--endure", type=float, help="seconds at full load on 8 connections")
    parser.add_argument("--silent", type=float, help="seconds at --rate without a registry")
    parser.add_argument("--many", type=int, help="rows of one request to /invocations")
    parser.add_argument("--kills", type=int, help="number of kills of the only worker")
    parser.add_argument("--flood", type=float, nargs="+", help="multiples of the peak rate")
    parser.add_argument("--attack", type=float, help="seconds of an attack on the connections")
    arguments = parser.parse_args()
    os.sched_setaffinity(0, {CLIENT_CORE})
    with tempfile.TemporaryDirectory(prefix="serving-") as scratch:
        measure(arguments, ServiceBench(Path(arguments.home).resolve(), arguments.book, Path(scratch)))


def measure(arguments: argparse.Namespace, bench: ServiceBench) -> None:
    """Run the requested measurement."""
    if arguments.soak:
        bench.soak(arguments.rate, arguments.soak)
    elif arguments.endure:
        bench.endure(arguments.endure, arguments.rate)
    elif arguments.silent:
        bench.silent(arguments.rate, arguments.silent)
    elif arguments.attack:
        bench.attack(arguments.attack, connections=2_000, megabytes=300)
    elif arguments.many:
        bench.many(arguments.many)
    elif arguments.kills:
        bench.kills(arguments.kills)
    elif arguments.flood:
        bench.flood(arguments.flood, arguments.seconds)
    else:
        compare(bench, arguments.book, arguments.rounds, arguments.seconds)


def compare(bench: ServiceBench, book: str, rounds: int, seconds: float) -> None:
    """Good answers per second of all servers, at each number of connections."""
    plans = _plans(bench, book)
    rates: dict[tuple[str, int], list[float]] = {}
    for _ in range(rounds):
        for name, (command, requests) in plans.items():
            with running(command, bench.environment) as (port, _):
                asyncio.run(closed_loop(port, requests, 8, 2.0))
                for connections in CONNECTIONS:
                    load = asyncio.run(closed_loop(port, requests, connections, seconds))
                    print(f"{name:30} {connections:3} connections {load}", flush=True)
                    rates.setdefault((name, connections), []).append(load.rate)
    print(
        f"median answers per second of {rounds} rounds, by connections (x: rate of this service / rate of the server)"
    )
    for name in plans:
        medians = {c: statistics.median(rates[name, c]) for c in CONNECTIONS}
        ratios = {c: statistics.median(rates[OURS, c]) / medians[c] for c in CONNECTIONS}
        print(f"{name:30} {'  '.join(f'{c}: {medians[c]:.0f}/s (x{ratios[c]:.2f})' for c in CONNECTIONS)}")


def _plans(bench: ServiceBench, book: str) -> Plans:
    """The command of each server, and the requests for it."""
    values = np.random.default_rng(0).normal(size=(100, 25)).tolist()
    bare = [request("/predict", json.dumps({"features": row}).encode(), {}) for row in values]
    three = {"income": 52_000, "loan_amount": 12_000, "credit_score": 690}
    by_mlflow = [json.dumps({"dataframe_records": [row]}).encode() for row in bench.applications]

    def mlflow(port: int) -> list[str]:
        uri = f"models:/{book}@production"
        return [str(BIN / "mlflow"), "models", "serve", "-m", uri, "--env-manager", "local", "--port", str(port)]

    return {
        OURS: (service_command, bench.requests()),
        "this service, /invocations": (
            service_command,
            [request("/invocations", body, bench.headers) for body in by_mlflow],
        ),
        "mlflow models serve": (mlflow, [request("/invocations", body, {}) for body in by_mlflow]),
        "FastAPI, pandas, 3 inputs": (
            lambda port: uvicorn_command("frames", port),
            [request("/predict", json.dumps(three).encode(), {})],
        ),
        "FastAPI, bare, ready features": (lambda port: uvicorn_command("bare", port), bare),
    }


if __name__ == "__main__":
    main()
