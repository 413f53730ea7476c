"""Size of the packages of the service's image, and start-up time of a Bento with them.

    make bento && python benchmarks/serving_image.py --home <platform home>

The benchmark installs bento/requirements.lock into an empty folder. Then it serves the newest Bento of a book with only
that folder and the base interpreter.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

from loan_platform.adapters.service.ports import free_port

ROOT = Path(__file__).parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", required=True)
    parser.add_argument("--book", default="lending_club")
    arguments = parser.parse_args()
    bentos = Path(arguments.home).resolve() / "bentoml" / "bentos" / arguments.book
    with tempfile.TemporaryDirectory(prefix="serving-image-") as scratch:
        packages = Path(scratch, "packages")
        lock = ROOT / "bento" / "requirements.lock"
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile", "--require-hashes"]
        subprocess.run([*command, "--target", str(packages), "-r", str(lock)], check=True)
        size = sum(file.stat().st_size for file in packages.rglob("*") if file.is_file()) / 1e6
        print(f"size of the installed packages: {size:.0f} MB")
        for start in ("first", "second"):
            print(f"{start} start-up: {_ready(bentos, packages, Path(scratch)):.1f} s until ready")


def _ready(bentos: Path, packages: Path, scratch: Path) -> float:
    """Seconds from the start of the process until the Bento is ready."""
    port = free_port()
    bento = bentos / (bentos / "latest").read_text()
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(packages),
        "HOME": str(scratch),
        "BENTOML_HOME": str(scratch / "bentoml"),
        "BENTOML_DO_NOT_TRACK": "True",
        "LOAN_ENV": "development",
    }
    python = getattr(sys, "_base_executable", sys.executable)
    command = [python, "-s", "-m", "bentoml", "serve", str(bento), "--host", "127.0.0.1", "--port", str(port)]
    started = time.perf_counter()
    process = subprocess.Popen(
        command, cwd=scratch, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        while process.poll() is None:
            with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz", timeout=2) as answer:
                seconds = time.perf_counter() - started
                assert json.load(answer)["status"] == "ready"
                return seconds
            time.sleep(0.02)
        sys.exit("The Bento does not start with the packages of bento/requirements.lock.")
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


if __name__ == "__main__":
    main()
