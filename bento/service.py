"""The BentoML service of one portfolio: its champion answers over HTTP.

`make serve` starts it; LOAN_PORTFOLIO names the portfolio.
"""

import gc

from loan_platform.settings import ServiceSettings, quiet_environment

quiet_environment()

import bentoml  # noqa: E402  # reads the environment when it is imported
from starlette.types import Receive, Scope, Send  # noqa: E402

from bento.app import ROUTES, LoanApp  # noqa: E402
from bento.champion import Champions, Named  # noqa: E402
from bento.guard import Guard  # noqa: E402
from loan_platform.adapters.api_keys import KeyFile  # noqa: E402
from loan_platform.adapters.ledger import Ledger  # noqa: E402

SETTINGS = ServiceSettings.from_environment()
OF_BENTOML = frozenset({"/livez", "/healthz"})


class Front:
    """Our application, made by the service object of the worker; the guard before it is made first."""

    app: LoanApp

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        await self.app.asgi(scope, receive, send)


FRONT = Front()


@bentoml.service(
    name="loan_service",
    workers=1,
    traffic={"timeout": 5},  # BentoML keeps each request's objects for as long
    logging={"access": {"enabled": False}},
    metrics={"enabled": False},  # BentoML's keep a series for each path that anybody makes up
)
class LoanService:
    """Answers applications with the portfolio's champion."""

    def __init__(self) -> None:
        ledger, settings = Ledger(SETTINGS.ledger_url), SETTINGS

        def find() -> Named | None:
            champion = ledger.champion(settings.portfolio)
            if champion is None:
                return None
            bundle = settings.models / champion.model_sha256 / "bundle"
            return Named(champion.version, champion.model_sha256, bundle)

        champions = Champions(find, settings.cache, settings.poll_seconds)
        champions.start()
        FRONT.app = LoanApp(settings.portfolio, champions)
        # Requests leave no cycles: what lives now is not looked through for them again.
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 20, 10)


def _keys() -> KeyFile | None:
    if SETTINGS.development:
        return None
    keys = KeyFile(SETTINGS.keys)
    keys.check_not_empty()
    return keys


LoanService.add_asgi_middleware(
    Guard,  # pyright: ignore[reportArgumentType]  # its protocol describes a call that gives an application
    ours=FRONT,
    routes=ROUTES,
    open_paths=OF_BENTOML,
    keys=_keys(),
)
