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
say "Compiling bytecode on all cores"
"$venv/bin/python" infra/compile_bytecode.py loan_platform bento "$venv"/lib/python*/site-packages
say "Ready: $venv, $(du -sh "$venv" | cut -f1)"
