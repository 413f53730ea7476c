"""A bundle with one constant changed, and with hashes that agree, is refused where any loan reaches the constant."""

import copy
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from loan_platform.core.book.constants import TARGET
from loan_platform.core.models.base import FittedModel
from loan_platform.core.models.blend import BlendModel
from loan_platform.core.models.scorecard import ScorecardModel
from loan_platform.core.models.trees import TreeModel
from loan_platform.core.scoring.bundle import load_bundle, write_bundle, write_policy_bundle
from loan_platform.core.scoring.golden_choice import coverage, covering_rows, reached
from loan_platform.core.scoring.manifest import ANSWERS, GOLDEN, MANIFEST, MODEL_PARTS, PARTS, BundleError, encode
from loan_platform.core.scoring.manifest import manifest_bytes as sealed
from loan_platform.core.scoring.manifest import sha256 as hashed
from loan_platform.core.scoring.scoring_model import ScoringModel
from loan_platform_tests.support.lending import FAMILIES, every_candidate, feature_frame, loans

LEAF = -1

attack = pytest.mark.attack(
    "stores", "one number of a bundle is changed, and its hashes are repaired", before="266 of 639 load"
)


def covering(model: ScoringModel) -> list[int]:
    return covering_rows(model, feature_frame(loans()), 5_000)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A blend, so trees and scorecard, with golden rows that reach what any of 4,000 loans reaches."""
    model, path = every_candidate()[FAMILIES.index("blend")].model, tmp_path_factory.mktemp("bundle") / "b"
    write_bundle(path, model, {}, loans()[covering(model)].drop(TARGET), {})
    return path


@pytest.fixture
def changed(bundle: Path, tmp_path: Path) -> Callable[[str, Any], Path]:
    """Writes a copy of the bundle with another part, under a manifest that agrees."""

    def write(name: str, value: Any) -> Path:
        copied = tmp_path / "changed"
        shutil.rmtree(copied, ignore_errors=True)
        shutil.copytree(bundle, copied)
        (copied / name).write_bytes(encode(name, value))
        meta = json.loads((copied / MANIFEST).read_bytes())["meta"]
        (copied / MANIFEST).write_bytes(sealed({part: (copied / part).read_bytes() for part in PARTS}, meta))
        return copied

    return write


def part(bundle: Path, name: str) -> Any:
    return json.loads((bundle / name).read_bytes())


def trees_of(model_json: Any) -> list[dict[str, Any]]:
    booster = model_json["model"]["gradient_boosting"]["booster"]
    return booster["learner"]["gradient_booster"]["model"]["trees"]


@pytest.mark.parametrize("number", range(len(FAMILIES)), ids=FAMILIES)
def test_the_chosen_loans_reach_what_any_loan_reaches(number: int) -> None:
    model, features = every_candidate()[number].model, feature_frame(loans())
    chosen = covering(model)
    assert len(chosen) == len(set(chosen)) < features.height / 4
    assert coverage(model, features[chosen]) == coverage(model, features)
    found = reached(model, features)["model"]
    assert (found.regions >= 0).all()
    assert (found.regions < np.array(found.counts)).all()


def test_fewer_loans_are_chosen_where_fewer_are_allowed() -> None:
    model, features = every_candidate()[FAMILIES.index("gradient_boosting")].model, feature_frame(loans())
    few = covering_rows(model, features, 20)
    assert few == covering(model)[:20]
    assert 0 < coverage(model, features[few])["model"]["reached"] < coverage(model, features)["model"]["reached"]


def test_a_region_is_what_the_margin_is_made_of() -> None:
    """Rows of the same regions have the same margin in trees, whatever their values are."""
    model, features = every_candidate()[FAMILIES.index("gradient_boosting")].model, feature_frame(loans())
    matrix = model.design.matrix(features)
    leaves, margins = model.model.regions(matrix), model.model.margin(matrix)
    _, first, same = np.unique(leaves, axis=0, return_index=True, return_inverse=True)
    assert len(first) < len(matrix)
    assert np.array_equal(margins[first][same.ravel()], margins)


def test_the_loans_beside_the_cut_offs_are_chosen() -> None:
    model, features = every_candidate()[0].model, feature_frame(loans())
    every = model.score_features(features)["probability"].to_numpy()
    own = every[covering(model)]
    rule = model.policy.decision
    for cut_off in (rule.approve_below, rule.decline_from):
        if (every < cut_off).any():
            assert own[own < cut_off].max() == every[every < cut_off].max()
        if (every >= cut_off).any():
            assert own[own >= cut_off].min() == every[every >= cut_off].min()


def test_the_manifest_says_what_the_golden_rows_reach(bundle: Path) -> None:
    loaded = load_bundle(bundle)
    told, model = loaded.meta["golden_rows"], loaded.model
    assert told["rows"] == loaded.golden.frame(model).height
    every = coverage(model, feature_frame(loans()))
    assert all(told["reached"][name]["reached"] >= found["reached"] for name, found in every.items())


def leaves(model_json: Any) -> Iterator[tuple[int, int]]:
    for at, tree in enumerate(trees_of(model_json)):
        for node, child in enumerate(tree["left_children"]):
            if child == LEAF:
                yield at, node


@attack
def test_every_leaf_that_a_loan_reaches_is_proven(bundle: Path, changed: Callable[[str, Any], Path]) -> None:
    found = part(bundle, "model.json")
    model = load_bundle(bundle).model
    seen = reached(model, feature_frame(loans()))["model"]
    blend = model.model
    assert isinstance(blend, BlendModel)
    columns = len(blend.scorecard.terms)
    ranks = {tree: set(np.unique(seen.regions[:, columns + tree]).tolist()) for tree in range(len(trees_of(found)))}
    tried = 0
    for tree, node in list(leaves(found))[:: max(1, sum(blend.gradient_boosting.region_counts) // 40)]:
        rank = trees_of(found)[tree]["left_children"][:node].count(LEAF)
        if rank not in ranks[tree]:
            continue
        wrong = copy.deepcopy(found)
        trees_of(wrong)[tree]["split_conditions"][node] += 0.01
        with pytest.raises(BundleError, match="golden row"):
            load_bundle(changed("model.json", wrong))
        tried += 1
    assert tried > 30


@attack
def test_every_piece_that_a_loan_reaches_is_proven(bundle: Path, changed: Callable[[str, Any], Path]) -> None:
    found = part(bundle, "model.json")
    seen = reached(load_bundle(bundle).model, feature_frame(loans()))["model"].regions
    terms = found["model"]["scorecard"]["terms"]
    tried = 0
    for at, term in enumerate(terms):
        for piece in range(len(term["pieces"])):
            if piece + 1 not in seen[:, at]:
                continue
            wrong = copy.deepcopy(found)
            wrong["model"]["scorecard"]["terms"][at]["pieces"][piece][3] += 0.01
            with pytest.raises(BundleError, match="golden row"):
                load_bundle(changed("model.json", wrong))
            tried += 1
    assert tried >= len(terms)


@attack
@pytest.mark.parametrize(
    ("section", "name", "factor"),
    [
        ("decision", "approve_below", 0.8),
        ("decision", "approve_below", 1.05),
        ("decision", "decline_from", 1.2),
        ("decision", "medium_from", 0.8),
        ("decision", "high_from", 1.2),
        ("decision", "loss_given_default", 1.0001),
        ("scorecard", "points", 1.01),
        ("scorecard", "odds", 1.01),
        ("scorecard", "points_to_double_odds", 1.01),
    ],
)
def test_a_changed_policy_is_refused(
    bundle: Path, changed: Callable[[str, Any], Path], section: str, name: str, factor: float
) -> None:
    policy = part(bundle, "policy.json")
    policy[section][name] *= factor
    with pytest.raises(BundleError, match=r"answers\.json: golden row"):
        load_bundle(changed("policy.json", policy))


@attack
def test_a_changed_text_of_a_reason_is_refused(bundle: Path, changed: Callable[[str, Any], Path]) -> None:
    contract = part(bundle, "contract.json")
    for feature in contract["features"]:
        feature["reason"] += " today"
    with pytest.raises(BundleError, match=r"answers\.json: golden row \d+ has another answer .*\(reasons\)"):
        load_bundle(changed("contract.json", contract))


@attack
def test_numbers_that_only_reasons_read_are_proven(bundle: Path, changed: Callable[[str, Any], Path]) -> None:
    """The weight of a leaf counts in the contributions of the trees, and not in the probability."""
    found = part(bundle, "model.json")
    for tree in trees_of(found):
        tree["sum_hessian"] = [1.0] * len(tree["sum_hessian"])
    with pytest.raises(BundleError, match=r"answers\.json: golden row \d+ has another answer .*\(reasons\)"):
        load_bundle(changed("model.json", found))


@pytest.mark.parametrize("name", ["score", "risk", "decision", "expected_loss", "reasons"])
def test_answers_that_differ_or_lack_a_row_are_refused(
    bundle: Path, changed: Callable[[str, Any], Path], name: str
) -> None:
    answers = part(bundle, ANSWERS)
    fewer, other = ({**answers, name: answers[name][:-1]}, {**answers, name: ["x", *answers[name][1:]]})
    for wrong in (fewer, other):
        with pytest.raises(BundleError, match=rf"answers\.json: golden row \d+ has another answer .*\({name}\)"):
            load_bundle(changed(ANSWERS, wrong))


def test_a_bundle_of_the_earlier_format_answers(bundle: Path, tmp_path: Path) -> None:
    """It has no answers to its golden rows: its probabilities are still proven."""
    old = Path(shutil.copytree(bundle, tmp_path / "old"))
    (old / ANSWERS).unlink()
    with pytest.raises(BundleError, match=r"files missing: \['answers\.json'\]"):
        load_bundle(old)
    files = {name: (old / name).read_bytes() for name in MODEL_PARTS}
    manifest = json.loads(sealed(files, {})) | {"format": 2}
    del manifest["seal"]
    (old / MANIFEST).write_bytes(encode("", manifest | {"seal": hashed(encode("", manifest))}))
    features = feature_frame(loans())
    new, loaded = load_bundle(bundle).model, load_bundle(old)
    assert loaded.model.score_features(features).equals(new.score_features(features))
    written = write_policy_bundle(tmp_path / "renewed", old, loaded, new.policy)
    assert load_bundle(tmp_path / "renewed", written).model.policy == new.policy
    assert (tmp_path / "renewed" / ANSWERS).read_bytes() == (bundle / ANSWERS).read_bytes()


def test_a_policy_version_has_its_own_answers(bundle: Path, tmp_path: Path) -> None:
    loaded = load_bundle(bundle)
    rule = loaded.model.policy.decision
    changed = rule.model_copy(update={"loss_given_default": rule.loss_given_default / 2})
    policy = loaded.model.policy.model_copy(update={"decision": changed})
    other = load_bundle(tmp_path / "p", write_policy_bundle(tmp_path / "p", bundle, loaded, policy))
    assert (tmp_path / "p" / GOLDEN).read_bytes() == (bundle / GOLDEN).read_bytes()
    assert (tmp_path / "p" / ANSWERS).read_bytes() != (bundle / ANSWERS).read_bytes()
    assert other.model.policy == policy


def constants(model: FittedModel) -> int:
    """How many regions the parts of a model have, counted from the model itself."""
    if isinstance(model, BlendModel):
        return constants(model.scorecard) + constants(model.gradient_boosting)
    if isinstance(model, ScorecardModel):
        return sum(len(term.pieces) + 3 for term in model.terms)
    if isinstance(model, TreeModel):
        found = model.booster["learner"]["gradient_booster"]["model"]["trees"]
        return sum(tree["left_children"].count(LEAF) for tree in found)
    return sum(model.region_counts)


@pytest.mark.parametrize("number", range(len(FAMILIES)), ids=FAMILIES)
def test_regions_are_counted(number: int) -> None:
    model = every_candidate()[number].model.model
    assert sum(model.region_counts) == constants(model)
