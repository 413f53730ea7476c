"""The plots of the model card."""

from loan_platform.core.evaluation.card_forward import AGEING, CALIBRATION_AHEAD
from loan_platform.core.evaluation.evaluation_report import Evaluation


def card_plots(found: Evaluation) -> dict[str, str]:
    """Markdown image of each plot of the model card, by name. Books without dates have none."""
    from loan_platform.adapters.reports.canvas import markdown_image
    from loan_platform.adapters.reports.plots_ahead import ageing_plot, calibration_ahead_plot

    drawn: dict[str, str] = {}
    if found.calibration and found.calibration.origins:
        png = calibration_ahead_plot(found.calibration.origins)
        drawn[CALIBRATION_AHEAD] = markdown_image(png, "Default rate and mean probability of default by origin")
    if found.ages:
        drawn[AGEING] = markdown_image(ageing_plot(found.ages), "AUC by months ahead")
    return drawn
