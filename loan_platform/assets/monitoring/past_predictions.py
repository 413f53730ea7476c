"""All predictions of a book, of batches and of the service, with the outcomes that are known by now."""

from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from loan_platform.assets.inference.predictions import HISTORY
from loan_platform.assets.monitoring.loan_kinds import KIND, LoanKinds
from loan_platform.assets.monitoring.outcomes import OUTCOMES
from loan_platform.assets.monitoring.served import SERVED
from loan_platform.assets.resources.lake import LakeResource
from loan_platform.assets.resources.promotion_ledger import LedgerResource
from loan_platform.assets.specs.partitions import BATCH, WHOLE, batch_column
from loan_platform.core.book.constants import CONTENT
from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.monitoring.served_table import last_answers
from loan_platform.core.scoring.answer_history import as_decided
from loan_platform.core.scoring.decisions import APPROVED


@dataclass(frozen=True)
class Strangers:
    """Outcomes whose key was never scored.

    Attributes:
        outcomes: all outcomes.
        unmet: those whose key was never scored.
        unmet_keys: two of their keys.
        scored_keys: two keys that were scored and have no outcome.
    """

    outcomes: int
    unmet: int
    unmet_keys: tuple[str, ...]
    scored_keys: tuple[str, ...]


@dataclass(frozen=True)
class PastPredictions:
    """The predictions of one book."""

    book: Portfolio
    lake: LakeResource
    ledger: LedgerResource

    def frame(self) -> pl.DataFrame:
        """One row per prediction.

        Returns:
            Columns vintage, model_version, probability, outcome (null while unknown), approved (by that version),
            reported (a file of outcomes has the loan), in_sample (true for development loans), and kind with
            `split.mature_by`.
        """
        entity, date = self.book.contract.entity_key, self.book.contract.event_date
        scored = self._scored()
        versions = scored["model_version"].unique().to_list()
        nothing = pl.DataFrame(schema={entity: pl.String, "model_version": pl.Int64, "in_sample": pl.Boolean})
        development = pl.concat([nothing, *self._development_keys(versions)])
        with_outcomes = scored.join(self._outcomes(), on=entity, how="left")
        joined = with_outcomes.join(development, on=[entity, "model_version"], how="left")
        vintage = pl.col(date) if date else pl.lit(None, pl.Date)
        return joined.select(
            pl.col("^kind$"),
            vintage.alias("vintage"),
            "model_version",
            "probability",
            "outcome",
            approved=pl.col("decision") == APPROVED,
            reported=pl.col("reported").fill_null(False),
            in_sample=pl.col("in_sample").fill_null(False),
        )

    def strangers(self) -> Strangers:
        """Outcomes of loans that were never scored."""
        entity, outcomes = self.book.contract.entity_key, self._outcomes()
        scored = self._scored()
        unmet = outcomes.join(scored, on=entity, how="anti")[entity]
        without = scored.join(outcomes, on=entity, how="anti")[entity]
        examples = (tuple(keys.sort().head(2)) for keys in (unmet, without))
        return Strangers(outcomes.height, len(unmet), *examples)

    def _scored(self) -> pl.DataFrame:
        """Key, event date, probability, decision and model version, as a batch or the service decided each loan.

        With `split.mature_by` also the kind of loan.

        Applications that a run removed are not judged. One that moved to another batch is judged there.
        """
        name, files = self.book.name, self.lake.open()
        entity, date = self.book.contract.entity_key, self.book.contract.event_date
        applications = files.scan(name, "applications").with_columns(batch_column(self.book))
        current = applications.select(BATCH, entity, CONTENT).collect()
        about = [column for column in (entity, date, "probability", "decision", "model_version") if column]
        scored = list[pl.DataFrame]()
        for partition in files.partitions(name, HISTORY) or [None]:
            now = current.filter(pl.col(BATCH) == (partition or WHOLE))
            scored.append(as_decided(files.read(name, HISTORY, partition), now, entity).select(about))
        batches = pl.concat(scored)
        served = self._served(batches)
        if (kinds := LoanKinds.of_book(self.book)) is None:
            return pl.concat([batches, served.select(about)])
        of_batches = batches.join(kinds.of_applications(applications), on=entity, how="left", maintain_order="left")
        of_service = pl.concat([served.select(about), kinds.of_answers(served).select(KIND)], how="horizontal")
        return pl.concat([of_batches, of_service])

    def _served(self, scored: pl.DataFrame) -> pl.DataFrame:
        """The service's last response to each loan that no batch scored, by versions that the ledger knows."""
        entity, files = self.book.contract.entity_key, self.lake.open()
        if not files.exists(self.book.name, SERVED):
            return scored.clear().with_columns(pl.lit(None, pl.String).alias("inputs"))
        answers = last_answers(files.read(self.book.name, SERVED), entity)
        known = pl.col("model_version").is_in(list(self.ledger.versions(self.book)))
        return answers.filter(known).join(scored, on=entity, how="anti")

    def _outcomes(self) -> pl.DataFrame:
        entity, files = self.book.contract.entity_key, self.lake.open()
        if not files.exists(self.book.name, OUTCOMES):  # no file has arrived yet
            return pl.DataFrame(schema={entity: pl.String, "outcome": pl.Int32, "reported": pl.Boolean})
        return files.read(self.book.name, OUTCOMES).select(entity, outcome="target", reported=pl.lit(True))

    def _development_keys(self, versions: list[int]) -> Iterator[pl.DataFrame]:
        models = self.lake.models(self.book)
        for version in versions:
            keys = models.get(self.ledger.model_sha256(self.book, version)).frame("development_keys")
            yield keys.with_columns(model_version=pl.lit(version, pl.Int64), in_sample=True)
