"""How many bundles with one number changed, and hashes that agree, are refused by their golden rows.

    python benchmarks/golden_rows.py .loan_platform/lake/lending_club --changes 600

The table has, for each part of the bundle: numbers that were changed one by one, bundles that were refused, and bundles
that were loaded. Of the loaded ones it says how many answer any application of the book differently, and the largest
share of the applications that such a bundle answers differently.
"""

import argparse
import copy
import json
import random
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl

from loan_platform.adapters.storage.lake import Lake
from loan_platform.core.scoring.bundle import load_bundle
from loan_platform.core.scoring.manifest import MANIFEST, PARTS, BundleError, encode, manifest_bytes
from loan_platform.core.scoring.predictor import Predictor

CHANGED = ("contract.json", "model.json", "calibration.json", "policy.json")
READS_NO_ANSWER = {"parameters", "objective", "loss_changes", "base_weights", "version", "importance", "description"}
COMPARED = 6_000


def numbers(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of each number that an answer may depend on."""
    if isinstance(value, dict):
        for name in value:
            if name not in READS_NO_ANSWER:
                yield from numbers(value[name], (*path, name))
    elif isinstance(value, list):
        for at, item in enumerate(value):
            yield from numbers(item, (*path, at))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path


def changed(value: Any, path: tuple[Any, ...]) -> Any:
    """A copy with one number a tenth larger, an integer by one."""
    found = copy.deepcopy(value)
    at = found
    for step in path[:-1]:
        at = at[step]
    old = at[path[-1]]
    at[path[-1]] = old + 1 if isinstance(old, int) else (old * 1.1 if old else 0.1)
    return found


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("book", type=Path, help="folder of a book in the lake, with a trained model and applications")
    parser.add_argument("--changes", type=int, default=600, help="numbers to change, shared among the parts")
    arguments = parser.parse_args()
    directory = max(
        (arguments.book / "trained_model" / ".store").glob("*/bundle"), key=lambda path: path.stat().st_mtime
    )
    bundle = load_bundle(directory)
    applications = Lake(arguments.book.parent).scan(arguments.book.name, "applications").head(COMPARED).collect()
    rows = applications.select(c.name for c in bundle.model.inputs if c.name in applications.columns)
    expected = Predictor(bundle.model).predict_frame(rows)
    meta = json.loads((directory / MANIFEST).read_bytes())["meta"]
    print(f"{bundle.model.family}, {rows.height:,} applications, golden rows: {json.dumps(meta['golden_rows'])}\n")
    print("| part | changed | refused | loaded | of them answer differently | largest share of applications |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    draw = random.Random(0)
    for part in CHANGED:
        value = json.loads((directory / part).read_bytes())
        paths = list(numbers(value))
        found, largest = Counter[str](), 0.0
        for path in draw.sample(paths, min(len(paths), arguments.changes // len(CHANGED))):
            share = _share_answered_differently(directory, meta, part, changed(value, path), rows, expected)
            found["refused" if share is None else "different" if share else "same"] += 1
            largest = max(largest, share or 0.0)
        loaded = found["different"] + found["same"]
        print(f"| {part} | {found.total()} | {found['refused']} | {loaded} | {found['different']} | {largest:.2%} |")


def _share_answered_differently(
    directory: Path, meta: dict[str, Any], part: str, value: Any, rows: pl.DataFrame, expected: pl.DataFrame
) -> float | None:
    """Share of the rows with another answer than expected; None where the bundle is refused."""
    with tempfile.TemporaryDirectory() as folder:
        copied = Path(shutil.copytree(directory, Path(folder, "bundle")))
        (copied / part).write_bytes(encode(part, value))
        (copied / MANIFEST).write_bytes(manifest_bytes({p: (copied / p).read_bytes() for p in PARTS}, meta))
        try:
            model = load_bundle(copied).model
        except BundleError:
            return None
        answers = Predictor(model).predict_frame(rows)
    same = (answers.select(pl.struct(pl.all()))).to_series() == expected.select(pl.struct(pl.all())).to_series()
    return float((~same).sum()) / rows.height


if __name__ == "__main__":
    main()
