"""When an asset is made by itself, and how old it may get: each rule has a name and is mapped over the assets."""

from collections.abc import Callable
from datetime import timedelta

import dagster as dg

from loan_platform.assets.specs.stages import STAGE
from loan_platform.core.book.portfolio import Portfolio

UPSTREAM_IS_NEW_AND_PASSED_ITS_CHECKS = (
    dg.AutomationCondition.eager() & dg.AutomationCondition.all_deps_blocking_checks_passed()
).with_label("upstream_is_new_and_passed_its_checks")

_NOT_ASKED_SINCE = dg.AutomationCondition.code_version_changed().since(dg.AutomationCondition.newly_updated())
_TEN_MINUTES = dg.AutomationCondition.cron_tick_passed("*/10 * * * *")
CONTRACT_WAS_EDITED = (
    _NOT_ASKED_SINCE & (_NOT_ASKED_SINCE.newly_true() | _TEN_MINUTES) & ~dg.AutomationCondition.in_progress()
).with_label("contract_was_edited")
"""At once after an edit, and every ten minutes until a run has succeeded: one that failed has not answered."""

CONDITIONS = {
    "withdrawal": CONTRACT_WAS_EDITED,
    "promotion": UPSTREAM_IS_NEW_AND_PASSED_ITS_CHECKS,
    "policy": UPSTREAM_IS_NEW_AND_PASSED_ITS_CHECKS,
    "serving": UPSTREAM_IS_NEW_AND_PASSED_ITS_CHECKS,
}
"""Automation condition by stage."""

AT_LEAST_EVERY_MONTH = dg.FreshnessPolicy.time_window(fail_window=timedelta(days=38), warn_window=timedelta(days=32))
AT_LEAST_EVERY_DAY = dg.FreshnessPolicy.time_window(fail_window=timedelta(days=2), warn_window=timedelta(hours=30))

FRESHNESS = {"month": AT_LEAST_EVERY_MONTH, "day": AT_LEAST_EVERY_DAY}
"""Freshness policy by the length of a batch."""
RECURRING_STAGES = frozenset({"scoring", "monitoring"})


def with_automation(book: Portfolio) -> Callable[[dg.AssetSpec], dg.AssetSpec]:
    """Give each asset of a book the automation condition and the freshness policy of its stage."""
    # A book that takes no more applications has nothing to keep fresh.
    freshness = FRESHNESS.get(book.partitions.every) if book.partitions.end is None else None

    def apply(spec: dg.AssetSpec) -> dg.AssetSpec:
        stage = spec.tags[STAGE]
        if condition := CONDITIONS.get(stage):
            spec = spec.replace_attributes(automation_condition=condition)
        if freshness and stage in RECURRING_STAGES:
            spec = dg.apply_freshness_policy(spec, freshness)
        return spec

    return apply
