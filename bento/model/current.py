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
            told = f"No model is available yet: {self._why()}."
            raise HttpError(503, "no_model", told, headers={"retry-after": "5"})
        return serving

    def _why(self) -> str:
        if self.champions.withdrawn:
            return "the champion was withdrawn, and the log contains the reason"
        if self.champions.refusal:
            return "the candidate was rejected, and the log contains the reason"
        return f"{self.portfolio} has no champion. Materialize promoted_model first"
