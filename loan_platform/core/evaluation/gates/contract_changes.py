"""What an edit of the contract means for the champion: it must go, or the next version is another model."""

from collections.abc import Iterable, Iterator
from typing import Any

from loan_platform.core.book.contract import Contract
from loan_platform.core.book.parts.columns import Column

TEXTS = {"description", "reason", "reason_not_known", "reason_group", "unit"}  # they change no probability


def reason_to_withdraw(
    champion: Contract, inputs: Iterable[Column], contract: Contract, use_pricing: bool
) -> str | None:
    """What the champion reads that it may not read.

    Args:
        champion: the contract in the champion's bundle.
        inputs: columns that it reads.
        contract: the present contract of the book.
        use_pricing: whether a model may read the lender's own pricing.

    Returns:
        A sentence; None where the champion may be used.
    """
    by_features = frozenset[str]().union(*(feature.columns for feature in champion.features))
    found = list(_forbidden(inputs, by_features, contract, use_pricing))
    return f"the champion reads {'; '.join(found)}." if found else None


def was_edited(champion: Contract, challenger: Contract) -> bool:
    """Whether the target, a feature or a column that a feature reads is another one. Texts do not count."""
    return _meaning(champion) != _meaning(challenger)


def _forbidden(
    inputs: Iterable[Column], by_features: frozenset[str], contract: Contract, use_pricing: bool
) -> Iterator[str]:
    for column in inputs:
        present, feature = contract.by_name.get(column.name), column.name in by_features
        if present is None:
            yield f"{column.name}, which the contract no longer has"
        elif present.available_at == "after_origination":
            yield f"{column.name}, which the contract now says is known after the decision only"
        elif present.protected and feature:
            yield f"{column.name}, which the contract now protects"
        elif present.available_at == "pricing" and feature and not use_pricing:
            yield f"{column.name}, which is the lender's pricing and may not be used now"
        elif present.type != column.type:
            yield f"{column.name} as {column.type}, which the contract now reads as {present.type}"


def _meaning(contract: Contract) -> list[dict[str, Any]]:
    read = frozenset[str]().union(*(feature.columns for feature in contract.features))
    parts = [contract.target, *contract.features, *(c for c in contract.columns if c.name in read)]
    return [part.model_dump(exclude=TEXTS) for part in parts]
