"""The model card: the model, its data, its performance and its limits.

After M. Mitchell et al., "Model Cards for Model Reporting", 2019.
"""

from collections.abc import Mapping
from types import MappingProxyType

from loan_platform.core.book.portfolio import Portfolio
from loan_platform.core.evaluation.card_forward import forward_sections
from loan_platform.core.evaluation.evaluation_report import DecisionReport, Evaluation, SplitReport
from loan_platform.core.plain_text import markdown_text
from loan_platform.core.scoring.decisions import DecisionRule
from loan_platform.core.scoring.scoring_model import ScoringModel

SHOWN = ("auc", "gini", "ks", "brier", "log_loss", "ece")


def model_card(
    book: Portfolio, model: ScoringModel, found: Evaluation, plots: Mapping[str, str] = MappingProxyType({})
) -> str:
    """The card as Markdown. The same model and evaluation give the same text.

    Args:
        book: contract and policies.
        model: the model of the card.
        found: the model on the test set.
        plots: Markdown images of `forward_sections`, by name.
    """
    return (
        "\n\n".join(
            [
                f"# {book.name}: {model.family}",
                markdown_text(book.contract.description),
                _identity(book, found),
                "## Data\n\n" + _data(found.split),
                "## Choice\n\n" + _choice(found),
                "## Out-of-time performance\n\n" + _metrics(found) + _ceilings(book, found),
                *forward_sections(found.calibration, found.ages, plots),
                "## Decisions\n\n" + _decisions(model.policy.decision, found.decisions),
                "## Inputs\n\n" + _inputs(model) + _left_out(found),
                "## Limits\n\n" + _limits(book),
            ]
        )
        + "\n"
    )


def _identity(book: Portfolio, found: Evaluation) -> str:
    return (
        f"Predicts: {markdown_text(book.contract.target.description)}\n\n"
        f"SHA-256 of the bundle: `{found.sha256}`. The lender's own pricing is "
        f"{'used' if book.training.use_pricing else 'not used'}; protected columns never are."
    )


def _data(split: SplitReport) -> str:
    rows = [
        f"| {name} | {part.rows:,} | {part.default_rate:.2%} | {part.first or '-'} | {part.last or '-'} |"
        for name, part in split.parts.items()
    ]
    table = ["| part | loans | default rate | first | last |", "| --- | --- | --- | --- | --- |", *rows]
    left_out = (
        f"Left out: {split.unknown_outcome:,} loans whose outcome is not known yet, {split.immature:,} of months "
        "with too many such loans"
    )
    months = ", ".join(f"{month}: {rows:,}" for month, rows in split.immature_by_month.items())
    left_out += f" ({months})." if months else "."
    unlike = "".join(f"\n\nIn {markdown_text(sentence)}." for sentence in split.unlike)
    return "\n".join(table) + "\n\n" + left_out + unlike


def _choice(found: Evaluation) -> str:
    rows = [
        f"| {c.family} | {c.fold_auc:.4f} | {c.auc:.4f} | {c.ks:.4f} | {c.ece:.4f} | {c.brier:.4f} |"
        for c in found.candidates
    ]
    heading = "| family | AUC on the folds | test AUC | test KS | test ECE | test Brier |"
    table = "\n".join([heading, "| --- | --- | --- | --- | --- | --- |", *rows])
    not_trained = "".join(
        f"\n\n{name} was not trained: {markdown_text(why)}." for name, why in found.not_trained.items()
    )
    how = "The choice was made on the folds; the test columns are for information."
    return f"{found.choice} {how}\n\n{table}{not_trained}"


def _metrics(found: Evaluation) -> str:
    rows = [
        f"| {name} | {getattr(found.test, name):.4f} | {found.intervals[name].low:.4f} to "
        f"{found.intervals[name].high:.4f} |"
        for name in SHOWN
    ]
    rows.append(f"| mean probability | {found.test.mean_probability:.4f} | |")
    rows.append(f"| default rate | {found.test.base_rate:.4f} | |")
    return "\n".join(["| metric | value | 95 % interval |", "| --- | --- | --- |", *rows])


def _ceilings(book: Portfolio, found: Evaluation) -> str:
    accepted = "".join(
        f"\n\n{name} shows a sign of a leak. It is accepted: {markdown_text(reason)}"
        for name, reason in found.accepted_signs.items()
    )
    if found.ceiling_reason is None:
        return accepted
    policy = book.promotion
    return (
        f"{accepted}\n\nThe ceilings of the leak alarm were raised: AUC {policy.max_auc:g}, of one input alone "
        f"{policy.max_feature_auc:g}. Reason: {markdown_text(found.ceiling_reason)}"
    )


def _decisions(rule: DecisionRule, found: Mapping[str, DecisionReport]) -> str:
    rows = [
        f"| {decision} | {row.share:.1%} | {row.mean_probability:.2%} | {row.default_rate:.2%} |"
        for decision, row in found.items()
    ]
    heading = "| decision | share of the test loans | mean probability of default | default rate |"
    return (
        f"Approved below a probability of default of {rule.approve_below:.2%}, declined from {rule.decline_from:.2%}; "
        f"a person decides between the two. Risk is medium from {rule.medium_from:.0%} and high from "
        f"{rule.high_from:.0%}. A default loses {rule.loss_given_default:.0%} of the exposure.\n\n"
        + "\n".join([heading, "| --- | --- | --- | --- |", *rows])
    )


def _inputs(model: ScoringModel) -> str:
    features = {feature.name: feature for feature in model.feature_set.features}
    used = [features[name] for name in model.importance]
    rows = [
        f"| {name} | {share:.1%} | {f.monotone or '-'} | {markdown_text(f.description)} | {markdown_text(f.reason)} |"
        for (name, share), f in zip(model.importance.items(), used, strict=True)
    ]
    heading = "| input | share | direction of risk | meaning | reason for the applicant |"
    return "\n".join([heading, "| --- | --- | --- | --- | --- |", *rows]) + _stand_ins(model)


def _stand_ins(model: ScoringModel) -> str:
    """What a missing value is where the development loans hardly lacked it."""
    features = {feature.name: feature for feature in model.contract.features}
    rows = [f"| {name} | {features[name].when_missing} | {v} |" for name, v in model.design.stand_ins.items()]
    if not rows:
        return ""
    told = "Too few development loans lack these inputs to learn what that means. A loan without one is scored as if:"
    return "\n".join(["", "", told, "", "| input | when missing | scored as |", "| --- | --- | --- |", *rows])


def _left_out(found: Evaluation) -> str:
    """Features and levels that training left out."""
    if not found.left_out:
        return ""
    rows = [f"| {name} | {markdown_text(sentence)} |" for name, sentence in found.left_out.items()]
    told = "The model was not given these inputs as the contract has them:"
    return "\n".join(["", "", told, "", "| input | left out |", "| --- | --- |", *rows])


def _limits(book: Portfolio) -> str:
    drift = book.drift
    return (
        "The model knows loans that this lender granted, not those it declined. It holds for applicants like those "
        f"of the development months: a batch whose PSI reaches {drift.critical} (beyond chance) on any input or on "
        "the score asks for a new model. It estimates the probability of default, not the loss."
    )
