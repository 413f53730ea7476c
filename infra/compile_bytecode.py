"""Compile modules before their first use, each core its share: compile_bytecode.py FOLDER...

A module of our own that does not compile is a failure. A package may have modules for another Python.
`compileall -j 0` hands over file by file and takes twice as long.
"""

import os
import re
import sys
from compileall import compile_file
from multiprocessing import get_context
from pathlib import Path

# More than half of the 34,000 modules are never imported here: packages' own tests, most of Plotly, and these.
# A module that is missing among the compiled ones is compiled at its first import.
UNUSED = re.compile(
    r"site-packages/(([^/]+/)+tests?/"
    r"|plotly/(validators|graph_objs)/[^/]+/"
    r"|(pip|setuptools|faker|statsmodels|fontTools|pygments/lexers|github3|pyasn1_modules|patsy|hypothesis)/"
    r"|(schemathesis|prompt_toolkit|wcwidth|databricks/sdk/service|mlflow/genai|opentelemetry/semconv|nltk/app)/)"
)

INSTALLED = "/site-packages/"


def compile_files(paths: list[str]) -> None:
    """Compile each file. Exits with 1 if a file outside of the installed packages does not compile."""
    failed = False
    for path in paths:
        is_ours = INSTALLED not in path
        failed |= not compile_file(path, quiet=1 if is_ours else 2) and is_ours
    sys.exit(failed)


def main(folders: list[str]) -> None:
    """Compile what the folders hold, in as many processes as there are cores. Exits with 1 if one of them failed."""
    paths = [str(path.absolute()) for folder in folders for path in Path(folder).rglob("*.py")]
    paths = [path for path in paths if not UNUSED.search(path)]
    cores = os.cpu_count() or 1
    shares = [get_context("spawn").Process(target=compile_files, args=(paths[at::cores],)) for at in range(cores)]
    for share in shares:
        share.start()
    for share in shares:
        share.join()
    if codes := sorted({share.exitcode for share in shares if share.exitcode}):
        sys.exit(f"Compiling failed: its processes ended with {codes}.")


if __name__ == "__main__":
    main(sys.argv[1:])
