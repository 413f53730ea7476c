#!/usr/bin/env bash
# Build the wheel and use it in a bare environment outside the checkout: infra/wheel-check.sh PYTHON VENV
set -euo pipefail
python=$1 venv=$2
uv=$(command -v uv || echo "$PWD/$venv/bin/uv")
. infra/package-index.sh

say() { printf '[%3d s] %s\n' "$SECONDS" "$*" >&2; }

folder=$(mktemp -d -t "wheel check.XXXXXX")
trap 'rm -rf "$folder"' EXIT
say "Building the wheel and a bare environment"
"$uv" build --quiet --wheel --no-build-isolation --python "$venv/bin/python" --out-dir "$folder/dist" .
"$uv" venv --quiet --python "$python" "$folder/env"
"$uv" pip install --quiet --python "$folder/env/bin/python" --require-hashes -r requirements.lock
"$uv" pip install --quiet --python "$folder/env/bin/python" --no-deps "$folder"/dist/*.whl

unset PYTHONPATH PYTHONDONTWRITEBYTECODE # every process would compile 1,200 modules again
export LOAN_PLATFORM_HOME="$folder/home" DAGSTER_HOME="$folder/home/dagster" PATH="$folder/env/bin:$PATH"
mkdir "$folder/work"
cd "$folder/work"
say "loan-platform init and check"
loan-platform init
python - <<'PYTHON'
import os
from pathlib import Path

from loan_platform.adapters.warehouse.sample_files import SCRIPT, write_sample
from loan_platform.cli.books import book_folder
from loan_platform.core.checking.book_check import load_book

folder, home = book_folder("bank_customers"), Path(os.environ["LOAN_PLATFORM_HOME"])
write_sample(folder / SCRIPT, {name: home / s.path for name, s in load_book(folder).sources.items()}, 10_000)
PYTHON
loan-platform check
for job in bank_customers_training bank_customers_promotion; do
  say "dagster job execute: $job"
  dagster job execute -m loan_platform.definitions -j $job > "$folder/job.log" 2>&1 ||
    { tail -n 40 "$folder/job.log" >&2; exit 1; }
done
say "Load the logged model with MLflow"
python - <<'PYTHON'
import os

import mlflow

mlflow.set_tracking_uri(f"sqlite:///{os.environ['LOAN_PLATFORM_HOME']}/mlflow.db")
model = mlflow.pyfunc.load_model("models:/bank_customers/1")
answers = model.predict(model.input_example)
assert answers["probability"].between(0, 1).all(), answers
print(f"MLflow scored {len(answers)} applications")
PYTHON
say "loan-platform serve"
port=$(python -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
LOAN_ENV=development loan-platform serve --book bank_customers --port "$port" > "$folder/serve.log" 2>&1 &
service=$!
python - "$port" <<'PYTHON' || { tail -n 40 "$folder/serve.log" >&2; kill $service; exit 1; }
import sys
import time
import urllib.error
import urllib.request

for _ in range(600):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{sys.argv[1]}/readyz", timeout=2) as answer:
            sys.exit(answer.status != 200)
    except (OSError, urllib.error.URLError):
        time.sleep(0.5)
sys.exit("the service is not ready after 300 s")
PYTHON
kill $service
wait $service || true
say "The wheel works"
