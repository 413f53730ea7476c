#!/usr/bin/env bash
# Create the virtual environment from the hash-locked requirements: infra/setup.sh PYTHON VENV
set -euo pipefail
python=$1 venv=$2
lock=requirements.lock

say() { printf '[%3d s] %s\n' "$SECONDS" "$*" >&2; }
fail() { printf '%s\n' "$*" >&2; exit 2; }

case "$(uname -s)" in
  Linux | Darwin) ;;
  *) fail "The platform runs on Linux, macOS and WSL. On Windows, run it inside WSL." ;;
esac
"$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14))' 2>/dev/null ||
  fail "Python 3.11, 3.12 or 3.13 is required: make ${MAKECMDGOALS:-setup} PYTHON=/path/to/python3.11"

. infra/package-index.sh

uv=$(command -v uv || true)
if [ -z "$uv" ]; then
  say "Installing uv into $venv"
  "$python" -m venv "$venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --only-binary :all: --require-hashes \
    -r infra/uv-requirements.txt
  uv=$venv/bin/uv
else
  "$uv" venv --quiet --allow-existing --python "$python" "$venv"
fi

say "Downloading and installing $(grep -c '^[a-z].*==' "$lock") packages with $("$uv" --version)"
# One line for each large download and each step; the list of all packages is left out.
"$uv" pip install --python "$venv/bin/python" --require-hashes -r "$lock" 2>&1 |
  { grep --line-buffered -vE '^ ([+~-]|Downloaded) ' || true; } >&2
say "Installing the checkout"
"$uv" pip install --quiet --python "$venv/bin/python" --no-deps --no-build-isolation --editable .
# Plotly has 15,000 of the 34,000 modules and a report imports 360 of them; packages' own tests are never imported.
say "Compiling bytecode on all cores"
unused='site-packages/(([^/]+/)+tests?/|plotly/(validators|graph_objs)/(?!(layout|scatter|bar|heatmap)/|[^/]*$))'
"$venv/bin/python" -m compileall -q -j 0 loan_platform bento
# A package may carry a file for another Python: it is not compiled, and Python says so when it is imported.
"$venv/bin/python" -m compileall -q -j 0 -x "$unused" "$venv"/lib/python*/site-packages >/dev/null || true
say "Ready: $venv, $(du -sh "$venv" | cut -f1)"
