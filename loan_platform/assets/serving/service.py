"""The champion becomes a Bento: the HTTP service with the model inside."""

from dataclasses import asdict, dataclass
from typing import Any

import dagster as dg

from loan_platform.assets.resources.bentos import BentosResource
from loan_platform.assets.resources.lake import LakeResource
from loan_platform.assets.resources.promotion_ledger import LedgerResource
from loan_platform.assets.specs.book_assets import asset_key, book_asset
from loan_platform.assets.specs.explained import explained
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.errors import NotMaterializedError

SERVICE = "scoring_service"
SAME_AS_BATCH = "The built service starts, and its HTTP responses to the golden rows equal the batch scores to the bit."


@dataclass(frozen=True)
class BuiltService:
    """A built Bento as its materialization records it.

    Attributes:
        tag: `name:version` in BentoML's store.
        digest: SHA-256 of its code and bundle.
        champion_version: the version inside.
        champion_sha256: SHA-256 of that version's bundle.
    """

    tag: str
    digest: str
    champion_version: int
    champion_sha256: str

    @classmethod
    def newest(cls, instance: dg.DagsterInstance, book: Portfolio) -> "BuiltService":
        """What the newest materialization of `scoring_service` records.

        Raises:
            NotMaterializedError: there is none.
        """
        event = instance.get_latest_materialization_event(asset_key(book, SERVICE))
        if event is None or event.asset_materialization is None:
            raise NotMaterializedError(f"{book.name} has no Bento: materialize scoring_service first")
        values = {name: value.value for name, value in event.asset_materialization.metadata.items()}
        return cls(
            tag=str(values["tag"]),
            digest=str(values["digest"]),
            champion_version=int(str(values["champion_version"])),
            champion_sha256=str(values["champion_sha256"]),
        )


def service_assets(book: Portfolio) -> list[dg.AssetsDefinition]:
    """`scoring_service`."""
    return [_scoring_service(book)]


def service_checks(book: Portfolio) -> list[dg.AssetChecksDefinition]:
    """`service_answers_like_the_batch`."""
    return [_answers_like_the_batch(book)]


def _scoring_service(book: Portfolio) -> dg.AssetsDefinition:
    @book_asset(book, SERVICE, "serving", "bentoml", deps=["promoted_model"])
    def scoring_service(
        context: dg.AssetExecutionContext, lake: LakeResource, ledger: LedgerResource, bentos: BentosResource
    ) -> dg.MaterializeResult:
        """The HTTP service as a Bento: code and champion in one folder. It needs neither registry nor network.

        The same champion and code give the same tag, and nothing is built twice. With LOAN_LEDGER_URL set, the
        running service follows later champions.
        """
        champion, store = ledger.champion(book), bentos.open()
        bundle = lake.models(book).get(champion.model_sha256).path / "bundle"
        built = store.build(book.name, champion.version, champion.model_sha256, bundle)
        context.log.info(f"{built.tag} is in the store")
        record = BuiltService(built.tag, built.digest, champion.version, champion.model_sha256)
        more = {"megabytes": round(built.megabytes, 3), "path": dg.MetadataValue.path(str(built.path))}
        return dg.MaterializeResult(metadata={**asdict(record), **more, "serve": store.command(built.tag)})

    return scoring_service


def _answers_like_the_batch(book: Portfolio) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=asset_key(book, SERVICE),
        name="service_answers_like_the_batch",
        description=SAME_AS_BATCH,
        blocking=True,
    )
    @explained
    def service_answers_like_the_batch(
        context: dg.AssetCheckExecutionContext, lake: LakeResource, bentos: BentosResource
    ) -> dg.AssetCheckResult:
        from loan_platform.adapters.service.bentos import Built
        from loan_platform.adapters.service.served_bento import check_golden_rows

        made, store = BuiltService.newest(context.instance, book), bentos.open()
        built = Built(made.tag, store.path(made.tag), made.digest)
        found: dict[str, Any] = {"tag": built.tag}
        if not built.is_intact():
            found["why"] = "code or bundle differ from those that were built: materialize scoring_service again"
            return dg.AssetCheckResult(passed=False, metadata=found)
        answers = check_golden_rows(store.home, built, lake.models(book).get(made.champion_sha256).bundle())
        found |= {"rows": answers.rows, "different_rows": str(list(answers.different))}
        found |= {"ready_seconds": round(answers.ready_seconds, 2), "model_sha256": answers.model_sha256}
        same = not answers.different and answers.model_sha256 == made.champion_sha256
        return dg.AssetCheckResult(passed=same, metadata=found)

    return service_answers_like_the_batch
