"""`LoanPortfolio`: the component that turns one folder of YAML into the whole asset graph of a loan book."""

import importlib
import sysconfig
from pathlib import Path
from typing import Self

import dagster as dg
from pydantic import BaseModel

from loan_platform.assets.automation.conditions import with_automation
from loan_platform.assets.automation.jobs import jobs
from loan_platform.assets.automation.sensors import sensors
from loan_platform.assets.inference.applications import application_assets
from loan_platform.assets.inference.predictions import prediction_assets
from loan_platform.assets.ingestion.loans import ingestion_assets
from loan_platform.assets.monitoring.drift import drift_assets
from loan_platform.assets.monitoring.outcomes import outcome_assets
from loan_platform.assets.monitoring.performance import performance_assets
from loan_platform.assets.monitoring.served import served_assets
from loan_platform.assets.monitoring.served_drift import served_drift_assets
from loan_platform.assets.registry.allowed_champion import withdrawal_assets
from loan_platform.assets.registry.decision_policy import policy_assets
from loan_platform.assets.registry.promotion import promotion_assets
from loan_platform.assets.registry.versions import version_assets
from loan_platform.assets.resources.configured import platform_resources
from loan_platform.assets.scaffolding import LoanPortfolioScaffolder
from loan_platform.assets.serving.service import service_assets
from loan_platform.assets.training.evaluation import evaluation_assets
from loan_platform.assets.training.features import feature_assets
from loan_platform.assets.training.trained_model import training_assets
from loan_platform.core.book.book_errors import ContractError
from loan_platform.core.book.portfolio import Attributes, Portfolio
from loan_platform.core.checking.book_check import DEFS, check_book, load_book, other_component
from loan_platform.core.checking.yaml_file import read_yaml
from loan_platform.core.errors import Issue
from loan_platform.settings.platform import TrackingSettings


@dg.scaffold_with(LoanPortfolioScaffolder)
class LoanPortfolio(dg.Component):
    """One loan book, from raw files to drift reports. The folder's name is the book's name and key prefix."""

    def __init__(self, attributes: Attributes):
        self.attributes = attributes

    @classmethod
    def get_model_cls(cls) -> type[BaseModel]:
        """What `dg check yaml` and editors know of the YAML file."""
        return Attributes

    @classmethod
    def load(cls, attributes: BaseModel | None, context: dg.ComponentLoadContext) -> Self:
        """Keep the checked attributes: they hold no templates to resolve."""
        assert isinstance(attributes, Attributes)  # Dagster has read it with `get_model_cls`
        return cls(attributes)

    def build_defs(self, context: dg.ComponentLoadContext) -> dg.Definitions:
        """Assets with their checks, jobs and sensors of the book."""
        # Read again, with the contract: Dagster passes over repeated keys, and takes "5" for 5.
        return book_definitions(load_book(context.path))


def book_definitions(book: Portfolio) -> dg.Definitions:
    """The whole graph of a book, in lineage order."""
    assets = [
        *ingestion_assets(book),
        *feature_assets(book),
        *training_assets(book),
        *evaluation_assets(book),
        *version_assets(book),
        *withdrawal_assets(book),
        *promotion_assets(book),
        *policy_assets(book),
        *service_assets(book),
        *application_assets(book),
        *prediction_assets(book),
        *drift_assets(book),
        *served_assets(book),
        *served_drift_assets(book),
        *outcome_assets(book),
        *performance_assets(book),
    ]
    return dg.Definitions(
        assets=dg.map_asset_specs(with_automation(book), assets),
        jobs=jobs(book),
        sensors=sensors(book),
    )


def location(package: Path, settings: TrackingSettings | None = None) -> dg.Definitions:
    """A code location: every book in the `defs` folder of a package, with the resources that they share.

    Runs take one process by default: an interpreter for each step costs more than most steps.

    Args:
        package: folder of the package.
        settings: what the resources are configured with; default: the settings of the environment.

    Raises:
        ContractError: with every issue in the files of all books.
    """
    books = _books(package)
    resources = platform_resources(settings or TrackingSettings.from_environment())
    shared = dg.Definitions(resources=resources, executor=dg.in_process_executor)
    return dg.Definitions.merge(shared, *books)


def _books(package: Path) -> list[dg.Definitions]:
    # Book by book: `dg.load_from_defs_folder` also imports every component library that is installed
    # (dagster-gcp brings BigQuery and pandas), which doubles the time to load.
    tree = _component_tree(package)
    books: list[dg.Definitions] = []
    issues: list[Issue] = []
    for path in sorted((package / "defs").glob(f"*/{DEFS}")):
        file = read_yaml(path)
        if not file.readable:  # Dagster has no limits: a short file can hold it for hours
            issues += file.issues
            continue
        try:
            books.append(tree.build_defs(path.parent))
        except Exception:  # Dagster's own errors tell of one issue, or of one file
            check = None if other_component(path.parent) else check_book(path.parent)
            if check is None or check.portfolio is not None or not check.issues:
                raise
            issues += check.issues
    if issues:
        raise ContractError(issues)
    return books


def _component_tree(package: Path) -> dg.ComponentTree:
    """The components of a package; one that is installed from a wheel has no project file to read."""
    if package.is_relative_to(sysconfig.get_path("purelib")):
        return dg.ComponentTree.from_module(importlib.import_module(f"{package.name}.defs"), package.parent)
    return dg.ComponentTree.for_project(package)
