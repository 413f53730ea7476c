"""The champion becomes a Bento: the HTTP service with the model inside."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import dagster as dg

from loan_platform.assets.registry.withdrawal import AllowedChampion
from loan_platform.assets.resources.bentos import BentosResource
from loan_platform.assets.resources.lake import LakeResource
from loan_platform.assets.resources.mlflow_tracking import MlflowResource
from loan_platform.assets.resources.promotion_ledger import LedgerResource
from loan_platform.assets.resources.reports import ReportsResource
from loan_platform.assets.specs.book_assets import asset_key, book_asset
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.scoring.bundle import Bundle

if TYPE_CHECKING:  # imported when first used: every Dagster process loads this module
    from loan_platform.adapters.service.bentos import BentoStore, Built

SERVICE = "scoring_service"
CHECK = "service_answers_like_the_batch"
SAME_AS_BATCH = "The built service starts, and its HTTP responses to the golden rows equal the batch scores to the bit."


def service_assets(book: Portfolio) -> list[dg.AssetsDefinition]:
    """`scoring_service`."""
    return [_scoring_service(book)]


def _scoring_service(book: Portfolio) -> dg.AssetsDefinition:
    spec = dg.AssetCheckSpec(CHECK, asset=asset_key(book, SERVICE), description=SAME_AS_BATCH, blocking=True)

    @book_asset(book, SERVICE, "serving", "bentoml", deps=["decision_policy"], check_specs=[spec])
    def scoring_service(
        context: dg.AssetExecutionContext,
        lake: LakeResource,
        reports: ReportsResource,
        mlflow: MlflowResource,
        ledger: LedgerResource,
        bentos: BentosResource,
    ) -> Iterator[dg.MaterializeResult | dg.AssetCheckResult]:
        """The HTTP service as a Bento: code and champion in one folder. It needs neither registry nor network.

        The same champion and code give the same tag, and nothing is built twice. With LOAN_LEDGER_URL set, the
        running service follows later champions. A Bento that fails its check stays in the store under its tag, and
        `latest` still names the one before it.
        """
        champion = AllowedChampion(book, lake, reports, mlflow, ledger, context.run.run_id).get()
        store = bentos.open()
        directory = lake.models(book).get(champion.model_sha256)
        signature = ledger.open().sign_champion(champion)
        built = store.build(book.name, champion.version, champion.model_sha256, directory.path / "bundle", signature)
        context.log.info(f"{built.tag} is in the store")
        result = _answers_like_the_batch(store, built, directory.bundle())
        if result.passed:
            store.make_latest(built)
            about_champion = {"champion_version": champion.version, "champion_sha256": champion.model_sha256}
            yield dg.MaterializeResult(metadata=_metadata(store, built) | about_champion)
        yield result
        if not result.passed:
            message = f"{built.tag} is refused: its responses differ from the batch scores. The Bento before it is "
            raise dg.Failure(f"{message}still the latest. The refused one: {built.path}", allow_retries=False)

    return scoring_service


def _answers_like_the_batch(store: "BentoStore", built: "Built", bundle: Bundle) -> dg.AssetCheckResult:
    from loan_platform.adapters.service.served_bento import check_golden_rows

    answers = check_golden_rows(store.home, built, bundle)
    return dg.AssetCheckResult(
        check_name=CHECK,
        passed=not answers.different and answers.model_sha256 == bundle.sha256,
        metadata={
            "tag": built.tag,
            "rows": answers.rows,
            "different_rows": str(list(answers.different)),
            "ready_seconds": round(answers.ready_seconds, 2),
            "model_sha256": answers.model_sha256,
        },
    )


def _metadata(store: "BentoStore", built: "Built") -> dict[str, Any]:
    return {
        "tag": built.tag,
        "digest": built.digest,
        "megabytes": round(built.megabytes, 3),
        "path": dg.MetadataValue.path(str(built.path)),
        "serve": store.command(built.tag),
    }
