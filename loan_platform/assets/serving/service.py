"""The champion becomes a Bento: the HTTP service with the model inside."""

from typing import Any

import dagster as dg

from loan_platform.assets.resources.platform import Platform
from loan_platform.assets.specs.graph import asset_of, explained, key
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.errors import NotMaterializedError


def service_assets(book: Portfolio) -> list[dg.AssetsDefinition]:
    """`scoring_service`."""
    return [_scoring_service(book)]


def service_checks(book: Portfolio) -> list[dg.AssetChecksDefinition]:
    """`service_answers_like_the_batch`."""
    return [_answers_like_the_batch(book)]


def _scoring_service(book: Portfolio) -> dg.AssetsDefinition:
    @asset_of(
        book,
        "scoring_service",
        "bentoml",
        deps=["promoted_model"],
        automation_condition=dg.AutomationCondition.eager() & dg.AutomationCondition.all_deps_blocking_checks_passed(),
    )
    def scoring_service(context: dg.AssetExecutionContext, platform: Platform) -> dg.MaterializeResult:
        """The HTTP service as a Bento: code and champion in one folder, which answers without registry and network.

        Its tag is the book, the model's version and the start of the digest over code and bundle: the same champion
        and code are the same Bento, and nothing is built twice. Set LOAN_LEDGER_URL where it is served, and it
        follows later champions.
        """
        champion = platform.champion(book)
        bundle = platform.models(book).get(champion.model_sha256).path / "bundle"
        built = platform.bentos.build(book.name, champion.version, champion.model_sha256, bundle)
        context.log.info(f"{built.tag} is in the store")
        return dg.MaterializeResult(
            metadata={
                "tag": built.tag,
                "digest": built.digest,
                "champion_version": champion.version,
                "champion_sha256": champion.model_sha256,
                "megabytes": round(built.megabytes, 3),
                "path": dg.MetadataValue.path(str(built.path)),
                "serve": platform.bentos.command(built.tag),
            }
        )

    return scoring_service


def _answers_like_the_batch(book: Portfolio) -> dg.AssetChecksDefinition:
    @dg.asset_check(
        asset=key(book, "scoring_service"),
        name="service_answers_like_the_batch",
        description="The built Bento is started, and answers the golden rows over HTTP as the batch does, to the bit.",
        blocking=True,
    )
    @explained
    def service_answers_like_the_batch(
        context: dg.AssetCheckExecutionContext, platform: Platform
    ) -> dg.AssetCheckResult:
        from loan_platform.adapters.service.bentos import Built
        from loan_platform.adapters.service.served_bento import check_golden_rows

        made = _newest(context, book)
        built = Built(made["tag"], platform.bentos.path(made["tag"]), made["digest"])
        found: dict[str, Any] = {"tag": built.tag}
        if not built.is_intact():
            found["why"] = "code or bundle are not those that were built: materialize scoring_service again"
            return dg.AssetCheckResult(passed=False, metadata=found)
        bundle = platform.models(book).get(made["champion_sha256"]).bundle()
        answers = check_golden_rows(platform.bentos.home, built, bundle)
        found |= {"rows": answers.rows, "different_rows": str(list(answers.different))}
        found |= {"ready_seconds": round(answers.ready_seconds, 2), "model_sha256": answers.model_sha256}
        same = not answers.different and answers.model_sha256 == made["champion_sha256"]
        return dg.AssetCheckResult(passed=same, metadata=found)

    return service_answers_like_the_batch


def _newest(context: dg.AssetCheckExecutionContext, book: Portfolio) -> dict[str, Any]:
    """What the newest materialization of `scoring_service` tells."""
    event = context.instance.get_latest_materialization_event(key(book, "scoring_service"))
    if event is None or event.asset_materialization is None:
        raise NotMaterializedError(f"{book.name} has no Bento: materialize scoring_service first")
    return {name: value.value for name, value in event.asset_materialization.metadata.items()}
