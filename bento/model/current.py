"""The model in force, or the problem that there is none."""

from bento.http.problems import HttpError
from bento.model.champion import Champions, Serving


class CurrentModel:
    """Gives the model in force of one portfolio.

    Args:
        portfolio: its name.
        champions: follows the champion.
    """

    def __init__(self, portfolio: str, champions: Champions) -> None:
        self.portfolio, self.champions = portfolio, champions

    def get(self) -> Serving:
        """The model in force.

        Raises:
            HttpError: 503 `no_model`.
        """
        serving = self.champions.serving
        if serving is None:
            why = (
                "the candidate was rejected, and the log contains the reason"
                if self.champions.refusal
                else f"{self.portfolio} has no champion. Materialize promoted_model first"
            )
            raise HttpError(503, "no_model", f"No model is available yet: {why}.", headers={"retry-after": "5"})
        return serving
