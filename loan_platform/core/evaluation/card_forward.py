"""The model card's sections about later months: calibration by origin, and AUC by age."""

from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

from loan_platform.core.evaluation.forward_report import AgeReport, CalibrationReport, OriginReport

CALIBRATION_AHEAD, AGEING = "calibration_ahead", "ageing"  # names of the plots


def forward_sections(
    calibration: CalibrationReport | None, ages: Iterable[AgeReport], plots: Mapping[str, str] = MappingProxyType({})
) -> list[str]:
    """The sections as Markdown; none for a report of an earlier version.

    Args:
        calibration: how the calibration was chosen.
        ages: AUC by months ahead.
        plots: Markdown images, by name.
    """
    plot = {name: plots.get(name, "") for name in (CALIBRATION_AHEAD, AGEING)}
    parts: list[str] = []
    if calibration is not None:
        parts.append("\n\n".join(["## Calibration ahead", *_calibration(calibration, plot[CALIBRATION_AHEAD])]))
    rows = [f"| {age.first} to {age.last} | {age.rows:,} | {age.folds} | {age.auc:.4f} |" for age in ages]
    if rows:
        told = "AUC of the family's fold models on later loans, by months since the end of their training loans."
        table = "\n".join(["| months ahead | loans | folds | AUC |", "| --- | --- | --- | --- |", *rows])
        parts.append("\n\n".join(filter(None, ["## Ageing", told, plot[AGEING], table])))
    return parts


def _calibration(found: CalibrationReport, plot: str) -> Iterator[str]:
    window = "all loans" if found.months is None else f"the last {found.months} months"
    yield (
        f"Method: {found.method}, fitted on {window} with margins of models that have not seen them "
        f"({found.loans:,} loans)."
    )
    if found.errors:
        rows = [f"| {name} | {error:.4f} |" for name, error in found.errors.items()]
        yield "\n".join(["| candidate | mean ECE ahead |", "| --- | --- |", *rows])
    if found.origins:
        yield (
            "Each origin is fitted on the loans before its months. "
            "The ratio is the default rate over the mean probability, with its 95 % interval."
        )
        if plot:
            yield plot
        if others := [row.first for row in found.origins if row.method not in ("", found.method)]:
            yield f"Platt stood in for {found.method} where too few had defaulted, at {', '.join(others)}."
        heading = "| months | loans | mean probability | default rate | ratio | ECE |"
        yield "\n".join([heading, "| --- | --- | --- | --- | --- | --- |", *map(_origin, found.origins)])


def _origin(row: OriginReport) -> str:
    ratio = row.rate_ratio
    return (
        f"| {row.first} to {row.last} | {row.rows:,} | {row.mean_probability:.4f} | {row.observed:.4f} | "
        f"{ratio.estimate:.2f} ({ratio.low:.2f} to {ratio.high:.2f}) | {row.ece:.4f} |"
    )
