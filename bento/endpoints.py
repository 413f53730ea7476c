"""The endpoint objects of one worker, to which the table of routes refers."""

from typing import NamedTuple

from bento.batch.endpoints import BatchEndpoints
from bento.pages.endpoints import PageEndpoints
from bento.scoring import ScoringEndpoints
from bento.status import StatusEndpoints


class Endpoints(NamedTuple):
    """The endpoint objects by concern."""

    scoring: ScoringEndpoints
    status: StatusEndpoints
    pages: PageEndpoints
    batch: BatchEndpoints
