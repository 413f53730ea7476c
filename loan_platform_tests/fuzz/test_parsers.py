"""Whatever the bytes, each parser gives a value that is sound or the error that it promises.

`make test` tries a few edited inputs of each parser, `make fuzz` tries them for a minute, `make faults` for an hour.
"""

import json
import math
import shutil
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest

import loan_platform
from bento.http.bodies import csv_rows, json_object, scoring_rows
from bento.http.problems import HttpError
from loan_platform.core.applications.reader import ApplicationError, ApplicationReader
from loan_platform.core.audit.hash_chain import Head, append_hash, read_chain, split_lines
from loan_platform.core.checking.contract_check import check_contract
from loan_platform.core.checking.yaml_file import read_yaml
from loan_platform.core.scoring.bundle import load_bundle, write_bundle
from loan_platform.core.scoring.manifest import GOLDEN, MANIFEST, PARTS, BundleError, manifest_bytes
from loan_platform.core.scoring.predictor import Predictor
from loan_platform_tests.fuzz.edited_inputs import edited, explore
from loan_platform_tests.support.bundles import scoring_model, typed_rows
from loan_platform_tests.support.lending import FAMILIES, every_candidate, loans

JSON_TOKENS = [
    b"{", b"}", b"[", b"]", b",", b":", b'"', b"\\", b"\\u0000", b"\\ud800", b"null", b"true", b"NaN", b"-", b"1e999",
    b"0.1", b"-0", b"99999999999999999999", b'"income"', b'"region"', b'{"a":', b"[[", b"\xef\xbb\xbf", b"\xff", b"\0",
]  # fmt: skip
CSV_TOKENS = [
    b",",
    b'"',
    b'""',
    b"\n",
    b"\r",
    b"\r\n",
    b"\0",
    b"\xff",
    b"income",
    b"=1+1",
    b"1e999",
    b"NaN",
    b" ",
    b"\t",
]
YAML_TOKENS = [
    b"&a ", b"*a", b"<<: *a", b"- ", b": ", b"? ", b"\n", b"  ", b"\t", b"|\n", b">\n", b"!!python/object:os.system ",
    b"!!binary ", b"{", b"}", b"[", b"]", b"#", b"'", b'"', b"%TAG ! x\n", b"---\n", b"...\n", b"null", b"1e999",
    b".nan", b"\0", b"\xff", b"\xef\xbb\xbf", b"SELECT 1", b"columns:", b"features:",
]  # fmt: skip
BUNDLE_TOKENS = [
    *JSON_TOKENS, b"-1", b"2147483648", b"1e308", b'"0"', b"[]", b"0,", b"1,", b'"left_children"', b'"categories"',
]  # fmt: skip


@cache
def answering() -> tuple[ApplicationReader, Predictor]:
    model = scoring_model()
    return ApplicationReader(model), Predictor(model)


def applications() -> list[dict[str, Any]]:
    rows = typed_rows().head(4).with_columns(pl.col("opened").dt.to_string())
    return [{"loan_id": f"L{number}", **row} for number, row in enumerate(rows.to_dicts())]


def answered(rows: list[dict[str, Any]]) -> None:
    """The rows as the service answers them: every accepted one has a probability."""
    reader, predictor = answering()
    try:
        frame = reader.read_many(rows)
    except ApplicationError:
        return
    assert frame.schema == reader.schema
    if frame.height:
        assert all(math.isfinite(p) for p in predictor.predict_frame(frame)["probability"])


def test_json_bodies() -> None:
    rows = applications()
    sound = [json.dumps(value).encode() for value in (rows[0], {"dataframe_records": rows})]
    split = {"columns": list(rows[0]), "data": [list(row.values()) for row in rows]}
    sound.append(json.dumps({"dataframe_split": split}).encode())

    refused: list[int] = []

    def check(data: bytes) -> None:
        try:
            rows = scoring_rows(data, 1_000) if b"dataframe" in data else [json_object(data)]
        except HttpError as error:
            refused.append(error.status)
            return
        answered(rows)

    explore(check, edited(sound, JSON_TOKENS))
    assert set(refused) <= {400, 413, 422}


def test_csv_bodies() -> None:
    rows = applications()
    text = "\n".join([",".join(rows[0]), *(",".join(str(v or "") for v in row.values()) for row in rows)])

    refused: list[int] = []

    def check(data: bytes) -> None:
        try:
            found = csv_rows(data, answering()[0].columns, frozenset({""}), 1_000)
        except HttpError as error:
            refused.append(error.status)
            return
        answered(found)

    explore(check, edited([text.encode()], CSV_TOKENS))
    assert set(refused) <= {400, 413, 422}


def test_yaml_files(tmp_path: Path) -> None:
    books = Path(loan_platform.__file__).parent / "defs"
    whole = (books / "retail_loans" / "contract.yaml").read_bytes()
    short = b"name: a\nlist:\n  - 1\n  - {x: 2, y: [3, null]}\ntext: |\n  a\n  b\n"
    path = tmp_path / "contract.yaml"

    def check(data: bytes) -> None:
        path.write_bytes(data)
        found = read_yaml(path)
        assert found.readable or found.issues
        if found.readable and len(data) > len(short):
            checked = check_contract(path)
            assert checked.contract is not None or checked.issues
            assert all(issue.message and issue.hint for issue in checked.issues)

    explore(check, edited([short, whole], YAML_TOKENS))


def test_bundles(tmp_path: Path) -> None:
    """A changed part under a manifest that agrees is refused, or answers the golden rows as before."""
    model = every_candidate()[FAMILIES.index("gradient_boosting")].model
    write_bundle(tmp_path / "sound", model, {}, loans().head(40), {})
    parts = {name: (tmp_path / "sound" / name).read_bytes() for name in PARTS}
    names = {data: name for name, data in parts.items()}
    expected = load_bundle(tmp_path / "sound")

    def check(data: bytes) -> None:
        name = names.get(data) or next(
            (name for name in PARTS if data[:24] == parts[name][:24] or data[-24:] == parts[name][-24:]), GOLDEN
        )
        changed = Path(shutil.copytree(tmp_path / "sound", tmp_path / "changed", dirs_exist_ok=True))
        files = {**parts, name: data}
        for part, value in files.items():
            (changed / part).write_bytes(value)
        (changed / MANIFEST).write_bytes(manifest_bytes(files, {}))
        try:
            loaded = load_bundle(changed)
        except BundleError:
            return
        if loaded.golden.columns == expected.golden.columns:
            rows = expected.golden.frame(expected.model)
            assert loaded.model.score(rows).equals(expected.model.score(rows))

    explore(check, edited([data for name, data in parts.items() if name != "reference.json"], BUNDLE_TOKENS))


@pytest.mark.parametrize("lines", [1, 12])
def test_audit_chains(lines: int) -> None:
    """Only records that were written are valid, and what is missing or changed is a fault."""
    head, written = Head(), b""
    for number in range(lines):
        line, head = append_hash(json.dumps({"request_id": f"r{number}", "probability": number / 7}).encode(), head)
        written += line
    sound = read_chain("a", [("1", split_lines(written))], head)

    def check(data: bytes) -> None:
        found = read_chain("a", [("1", split_lines(data))], head)
        assert all(record in sound.records for record in found.records)
        if data != written:
            assert found.faults
            assert all(fault.reason for fault in found.faults)

    explore(check, edited([written], [b"\n", b"{}\n", b'"n":1', b"\r", b"\0", written.split(b"\n")[0] + b"\n"]))
