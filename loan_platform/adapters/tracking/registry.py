"""Model versions in MLflow's registry and their aliases: `staging` is the newest, `production` the champion.

The promotion ledger decides who is champion; the alias only mirrors it, since MLflow's is last-writer-wins.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from loan_platform.adapters.ledger.ledger import Champion, Ledger
from loan_platform.adapters.tracking.runs import Tracking
from loan_platform.core.errors import ExplainedError

STAGING, PRODUCTION = "staging", "production"
_SHA256 = "bundle_sha256"


class RegistryError(ExplainedError, RuntimeError):
    """The registry does not hold what the ledger or the caller names; the message says what."""


@dataclass(frozen=True)
class Version:
    """One registered version. `uri` is what `mlflow models serve -m` and `load_model` take."""

    name: str
    version: int
    sha256: str
    run_id: str | None
    aliases: tuple[str, ...]
    tags: Mapping[str, str]

    @property
    def uri(self) -> str:
        """Address by number, which never changes its meaning."""
        return f"models:/{self.name}/{self.version}"


@dataclass(frozen=True)
class Registry:
    """The versions of all portfolios; a registered model has its portfolio's name."""

    tracking: Tracking

    def register(
        self, name: str, model_uri: str, sha256: str, run_id: str, tags: Mapping[str, str] | None = None
    ) -> Version:
        """Make a logged model a version with alias `staging`.

        A model whose bytes are those of an existing version is that version: nothing new is made.
        """
        from mlflow.exceptions import MlflowException

        client = self.tracking.client()
        if (found := self.find(name, sha256)) is None:
            try:
                client.create_registered_model(name)
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
            made = client.create_model_version(
                name,
                source=model_uri,
                run_id=run_id,
                model_id=model_uri.removeprefix("models:/"),
                tags={**(tags or {}), _SHA256: sha256},
                await_creation_for=60,
            )
            found = self.version(name, int(made.version))
        self.set_alias(name, STAGING, found.version)
        return self.version(name, found.version)

    def find(self, name: str, sha256: str) -> Version | None:
        """The oldest version with these bytes."""
        versions = self.tracking.client().search_model_versions(f"name = '{name}'", max_results=10_000)
        same = [int(v.version) for v in versions if v.tags.get(_SHA256) == sha256]
        return self.version(name, min(same)) if same else None

    def version(self, name: str, number: int) -> Version:
        """A version by number.

        Raises:
            RegistryError: there is no such version.
        """
        return self._lookup(f"version {number}", name, lambda client: client.get_model_version(name, str(number)))

    def alias(self, name: str, alias: str) -> Version | None:
        """The version behind an alias; None where it is not set."""
        from mlflow.exceptions import MlflowException

        try:
            found = self.tracking.client().get_model_version_by_alias(name, alias)
        except MlflowException as error:
            if error.error_code in ("RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"):
                return None
            raise
        return _version(found)

    def set_alias(self, name: str, alias: str, number: int) -> None:
        """Move an alias to a version."""
        self.tracking.client().set_registered_model_alias(name, alias, str(number))

    def tag(self, name: str, number: int, tags: Mapping[str, str]) -> None:
        """Add tags to a version, such as the verdict on it."""
        client = self.tracking.client()
        for key, value in tags.items():
            client.set_model_version_tag(name, str(number), key, value)

    def reconcile(self, ledger: Ledger, name: str) -> Champion | None:
        """Make alias `production` what the ledger says; returns the champion.

        Raises:
            RegistryError: the registry lacks the champion's version, or holds other bytes under its number.
        """
        champion = ledger.champion(name)
        mirrored = self.alias(name, PRODUCTION)
        if champion is None:
            if mirrored is not None:
                self.tracking.client().delete_registered_model_alias(name, PRODUCTION)
            return None
        version = self.version(name, champion.version)
        if version.sha256 != champion.model_sha256:
            raise RegistryError(
                f"{name} version {champion.version} in the registry has SHA-256 {version.sha256}, the ledger "
                f"promoted {champion.model_sha256}: restore the registry's backup or promote a version again"
            )
        if mirrored is None or mirrored.version != champion.version:
            self.set_alias(name, PRODUCTION, champion.version)
        return champion

    def _lookup(self, what: str, name: str, get: Any) -> Version:
        from mlflow.exceptions import MlflowException

        try:
            return _version(get(self.tracking.client()))
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                raise RegistryError(f"{name} has no {what} in the registry") from error
            raise


def _version(found: Any) -> Version:
    tags = dict(found.tags)
    aliases = tuple(sorted(found.aliases))
    return Version(found.name, int(found.version), tags.get(_SHA256, ""), found.run_id, aliases, tags)
