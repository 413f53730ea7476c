"""Jobs of a book: each selects assets by their stage."""

from dataclasses import dataclass
from functools import reduce
from operator import or_
from typing import Any

import dagster as dg

from loan_platform.assets.specs.partitions import all_batches
from loan_platform.assets.specs.stages import STAGE, Stage
from loan_platform.core.book.portfolio import Portfolio

AssetJob = Any  # dagster does not export the class that define_asset_job returns

BATCHED: frozenset[Stage] = frozenset({"scoring", "monitoring"})
NEEDS_APPLICATIONS = BATCHED | {"service_monitoring"}


@dataclass(frozen=True)
class JobPlan:
    """A job's name after the book's name, its stages, and its description in the UI."""

    name: str
    stages: tuple[Stage, ...]
    description: str


PIPELINE: tuple[Stage, ...] = ("ingestion", "training", "promotion", "policy", "scoring", "monitoring")
PLANS = (
    JobPlan(
        "training",
        ("ingestion", "training"),
        "Reads and validates the loans, trains a model, evaluates it and registers it as a new version.",
    ),
    JobPlan(
        "promotion",
        ("promotion", "policy"),
        "Makes the newest version the champion if the promotion policy allows it, and applies the present cut-offs.",
    ),
    JobPlan(
        "policy",
        ("policy",),
        "Applies changed cut-offs, economics, risk bands and points to the champion, without a training.",
    ),
    JobPlan("scoring", ("scoring",), "Reads the applications and scores them with the champion."),
    JobPlan(
        "monitoring",
        ("monitoring", "service_monitoring"),
        "Reports drift and performance of scored batches and of the service's responses.",
    ),
    JobPlan("pipeline", PIPELINE, "Runs everything from raw loans to the monitoring reports of the scored batches."),
    JobPlan("service", ("serving",), "Builds the scoring service of the champion and checks its responses."),
)


def jobs(book: Portfolio) -> list[AssetJob]:
    """The book's jobs. A book without applications has neither a scoring nor a monitoring job."""
    return [_job(book, plan, stages) for plan in PLANS if (stages := _stages(book, plan))]


def stage_selection(book: Portfolio, *stages: Stage) -> dg.AssetSelection:
    """The book's assets of some stages."""
    selections = [dg.AssetSelection.tag(STAGE, stage) for stage in stages]
    return dg.AssetSelection.groups(book.name) & reduce(or_, selections)


def _stages(book: Portfolio, plan: JobPlan) -> list[Stage]:
    """The stages of a job that the book has."""
    return [stage for stage in plan.stages if "applications" in book.sources or stage not in NEEDS_APPLICATIONS]


def _job(book: Portfolio, plan: JobPlan, stages: list[Stage]) -> AssetJob:
    return dg.define_asset_job(
        name=f"{book.name}_{plan.name}",
        selection=stage_selection(book, *stages),
        description=plan.description,
        tags={"portfolio": book.name} | (all_batches(book) if BATCHED & set(stages) else {}),
    )
