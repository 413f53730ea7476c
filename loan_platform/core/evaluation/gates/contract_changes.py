"""What an edit of the contract means for the champion: it must go, or the next version is another model."""

import json
from collections.abc import Iterable, Iterator
from hashlib import sha256
from typing import Any

from loan_platform.core.book.contract import Contract
from loan_platform.core.book.parts.columns import Column

CONTRACT_MEANING = "contract_meaning"  # key of a bundle's metadata
TEXTS = {"description", "reason", "reason_not_known", "reason_group", "unit"}  # they change no probability


def reason_to_withdraw(
    champion: Contract, inputs: Iterable[Column], contract: Contract, use_pricing: bool, who: str = "the champion"
) -> str | None:
    """What a model reads that it may not read.

    Args:
        champion: the contract in its bundle.
        inputs: columns that it reads.
        contract: the present contract of the book.
        use_pricing: whether a model may read the lender's own pricing.
        who: the model, in the sentence.

    Returns:
        A sentence; None where the model may be used.
    """
    by_features = frozenset[str]().union(*(feature.columns for feature in champion.features))
    found = list(_forbidden(inputs, by_features, contract, use_pricing))
    return f"{who} reads {'; '.join(found)}." if found else None


def was_edited(champion: Contract, challenger: Contract) -> bool:
    """Whether the target, a feature or a column that a feature reads is another one. Texts do not count."""
    return _meaning(champion) != _meaning(challenger)


def meaning_sha256(contract: Contract, use_pricing: bool) -> str:
    """SHA-256 of what makes a model by a contract: the target, and the features that it may read with their columns.

    The contract in a bundle lacks the features that a training could not use, such as a constant one. So whether the
    contract was edited is asked of this.
    """
    features = contract.features_for(use_pricing)
    return sha256(
        json.dumps(_meaning(contract.model_copy(update={"features": features})), default=str).encode()
    ).hexdigest()


def _forbidden(
    inputs: Iterable[Column], by_features: frozenset[str], contract: Contract, use_pricing: bool
) -> Iterator[str]:
    for column in inputs:
        present, feature = contract.by_name.get(column.name), column.name in by_features
        if present is None:
            yield f"{column.name}, which the contract no longer has"
        elif present.available_at == "after_origination":
            yield f"{column.name}, which the contract now says is known after the decision only"
        elif feature and column.name in contract.forbidden_features:
            yield f"{column.name}, which the contract now forbids for features"
        elif present.protected and feature:
            yield f"{column.name}, which the contract now protects"
        elif present.available_at == "pricing" and feature and not use_pricing:
            yield f"{column.name}, which is the lender's pricing and may not be used now"
        elif present.type != column.type:
            yield f"{column.name} as {column.type}, which the contract now reads as {present.type}"


def _meaning(contract: Contract) -> list[dict[str, Any]]:
    read = frozenset[str]().union(*(feature.columns for feature in contract.features))
    parts = [contract.target, *contract.features, *(c for c in contract.columns if c.name in read)]
    return [part.model_dump(mode="json", exclude=TEXTS) for part in parts]
