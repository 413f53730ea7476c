import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from loan_platform.core.book.decision_policies import ScorecardPolicy
from loan_platform.core.scoring.bundle import load_bundle, write_bundle
from loan_platform.core.scoring.decisions import AnswerPolicy, DecisionRule
from loan_platform.core.scoring.golden_rows import UNKNOWN
from loan_platform.core.scoring.manifest import MANIFEST, PARTS, BundleError, manifest_bytes
from loan_platform_tests.support.lending import FAMILIES, every_candidate, loans, odd_rows, trained


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("bundle") / "b"
    write_bundle(path, every_candidate()[-1].model, {"psi": [0.25]}, odd_rows(64), {"portfolio": "test"})
    return path


@pytest.fixture
def copy(bundle: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(bundle, tmp_path / "copy"))


def _rewrite(directory: Path, name: str, change: dict[str, Any]) -> None:
    """Change a part and write a manifest that agrees: what a wrong tool would do, not a broken disk."""
    value = json.loads((directory / name).read_bytes())
    (directory / name).write_text(json.dumps({**value, **change}))
    meta = json.loads((directory / MANIFEST).read_bytes())["meta"]
    parts = {part: (directory / part).read_bytes() for part in PARTS}
    (directory / MANIFEST).write_bytes(manifest_bytes(parts, meta))


def _old(value: Any) -> Any:
    """A part of a bundle with the old names of keys."""
    names = {"available_at": "known", "required_in_file": "every_file", "reason_group": "cause"}
    names["points_to_double_odds"] = "double"
    if isinstance(value, dict):
        return {names.get(key, key): _old(inner) for key, inner in value.items()}
    return [_old(item) for item in value] if isinstance(value, list) else value


def test_a_bundle_with_old_names_of_keys_loads(bundle: Path, copy: Path):
    for name in ("contract.json", "policy.json"):
        old = json.dumps(_old(json.loads((copy / name).read_bytes())))
        (copy / name).write_text(old)
        _rewrite(copy, name, {})
    assert '"known"' in (copy / "contract.json").read_text()
    assert '"double"' in (copy / "policy.json").read_text()
    old, new = load_bundle(copy).model, load_bundle(bundle).model
    assert old.contract == new.contract
    assert old.policy == new.policy
    assert old.score(odd_rows()).equals(new.score(odd_rows()))


def test_the_version_of_a_policy_outlives_new_names_of_its_keys():
    rule = DecisionRule(approve_below=0.1, decline_from=0.2, loss_given_default=0.45, medium_from=0.1, high_from=0.2)
    assert AnswerPolicy(scorecard=ScorecardPolicy(), decision=rule).version == "e3150d2eb5fa"


@pytest.mark.parametrize("number", range(len(FAMILIES)), ids=FAMILIES)
def test_every_family_comes_back_with_the_same_bits(tmp_path: Path, number: int):
    model = every_candidate()[number].model
    sha256 = write_bundle(tmp_path / "b", model, {"x": 1.5}, loans().head(32), {"y": 2})
    loaded = load_bundle(tmp_path / "b", sha256)
    assert loaded.model.score(odd_rows()).equals(model.score(odd_rows()))
    assert (loaded.reference, loaded.meta["y"], loaded.sha256) == ({"x": 1.5}, 2, sha256)
    assert loaded.meta["golden_rows"]["rows"] == 34
    assert loaded.model.importance == model.importance


def test_golden_rows_include_nothing_and_the_unknown(bundle: Path):
    loaded = load_bundle(bundle)
    golden = loaded.golden.frame(loaded.model)
    assert golden.height == 66
    assert golden[-2].null_count().sum_horizontal()[0] == golden.width
    assert golden["purpose"][-1] == UNKNOWN


def test_fewer_than_32_golden_rows_are_refused(tmp_path: Path):
    with pytest.raises(ValueError, match="31 golden rows: 32 are the least"):
        write_bundle(tmp_path / "b", trained().model, {}, loans().head(31), {})


def test_a_directory_that_holds_something_is_not_written(bundle: Path):
    with pytest.raises(BundleError, match="empty directory"):
        write_bundle(bundle, trained().model, {}, loans().head(32), {})


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), object()])
def test_values_that_json_has_not_are_refused(tmp_path: Path, bad: object):
    with pytest.raises(BundleError, match=r"reference\.json: holds a value that JSON has not"):
        write_bundle(tmp_path / "b", trained().model, {"x": bad}, loans().head(32), {})


@pytest.mark.parametrize("name", [*PARTS, MANIFEST])
def test_any_flipped_byte_is_refused(copy: Path, name: str):
    path, rng = copy / name, np.random.default_rng(0)
    whole = path.read_bytes()
    for place in rng.integers(0, len(whole), 60):
        broken = bytearray(whole)
        broken[place] ^= 1 << int(rng.integers(0, 8))
        path.write_bytes(bytes(broken))
        with pytest.raises(BundleError):
            load_bundle(copy)


@pytest.mark.parametrize("name", [*PARTS, MANIFEST])
def test_cut_short_grown_or_missing_files_are_refused(copy: Path, name: str):
    whole = (copy / name).read_bytes()
    for broken in (b"", whole[:-1], whole + b" ", whole * 2, b"[" * 100_000):
        (copy / name).write_bytes(broken)
        with pytest.raises(BundleError, match=name if name != MANIFEST else "manifest"):
            load_bundle(copy)
    (copy / name).unlink()
    with pytest.raises(BundleError, match=f"files missing: \\['{name}'\\]"):
        load_bundle(copy)


def test_links_and_strangers_are_refused(copy: Path):
    (copy / "model.pkl").touch()
    with pytest.raises(BundleError, match=r"do not belong: \['model\.pkl'\]"):
        load_bundle(copy)
    (copy / "model.pkl").unlink()
    (copy / "model.json").rename(copy.parent / "elsewhere.json")
    (copy / "model.json").symlink_to(copy.parent / "elsewhere.json")
    with pytest.raises(BundleError, match=r"model\.json: not a regular file"):
        load_bundle(copy)


def test_size_is_capped_before_anything_is_read(copy: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("loan_platform.core.scoring.bundle.MAX_BYTES", 1_000)
    with pytest.raises(BundleError, match="larger than 1000 bytes"):
        load_bundle(copy)


def test_another_bundle_than_expected_is_refused(bundle: Path):
    with pytest.raises(BundleError, match="SHA-256 is not the expected one"):
        load_bundle(bundle, "0" * 64)


def test_no_directory_is_a_bundle_error(tmp_path: Path):
    with pytest.raises(BundleError, match="cannot be read"):
        load_bundle(tmp_path / "none")


@pytest.mark.parametrize(
    ("name", "change", "reason"),
    [
        ("calibration.json", {"intercept": 1.0000001}, "golden.json: golden row 1 scores differently"),
        ("calibration.json", {"intercept": float("nan")}, "calibration.json"),
        ("calibration.json", {"pickle": "x"}, "calibration.json"),
        ("model.json", {"model": {}}, "model.json"),
        ("model.json", {"design": []}, "model.json"),
        ("model.json", {"design": [{"feature": "income", "x": 1}]}, "model.json"),
        ("golden.json", {"columns": {}}, "golden.json: its columns are not those"),
        ("golden.json", {"probability": []}, "golden.json"),
        ("contract.json", {"features": []}, "contract.json"),
        ("policy.json", {"scorecard": {"odds": -1}}, "policy.json"),
    ],
)
def test_a_wrong_part_under_a_right_manifest_is_refused(copy: Path, name: str, change: dict[str, Any], reason: str):
    _rewrite(copy, name, change)
    with pytest.raises(BundleError, match=reason):
        load_bundle(copy)


def test_a_wrong_leaf_under_a_right_manifest_is_refused(copy: Path):
    model = json.loads((copy / "model.json").read_bytes())["model"]
    trees = model["gradient_boosting"]["booster"]["learner"]["gradient_booster"]["model"]["trees"]
    for tree in trees:
        tree["split_conditions"] = [1e30] * len(tree["split_conditions"])
    design = json.loads((copy / "model.json").read_bytes())["design"]
    _rewrite(copy, "model.json", {"design": design, "model": model})
    with pytest.raises(BundleError, match="golden row"):
        load_bundle(copy)


def test_the_frame_of_the_golden_rows_is_typed(bundle: Path):
    loaded = load_bundle(bundle)
    schema = loaded.golden.frame(loaded.model).schema
    assert schema["opened"] == pl.Date
    assert schema["inquiries"] == pl.Int64
