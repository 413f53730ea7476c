"""Model versions in MLflow's registry and their aliases: `staging` is the newest evaluated model, `production` the
champion.

The promotion ledger decides which version is champion. The alias only mirrors it, because the last writer of an MLflow
alias wins.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from loan_platform.adapters.ledger.entries import Champion
from loan_platform.adapters.ledger.ledger import Ledger
from loan_platform.adapters.tracking.model_format import FORMAT_TAG, MODEL_FORMAT, require_format
from loan_platform.adapters.tracking.runs import Tracking
from loan_platform.core.errors import ExplainedError

STAGING, PRODUCTION = "staging", "production"
_SHA256 = "bundle_sha256"


class RegistryError(ExplainedError, RuntimeError):
    """The registry lacks a version, or has another model than the ledger under its number."""


@dataclass(frozen=True)
class Version:
    """One registered version. `mlflow models serve -m` and `load_model` take its `uri`.

    Attributes:
        name: of the registered model, which is that of the portfolio.
        version: number of the version.
        sha256: of the bundle.
        run_id: MLflow run that logged the model.
        aliases: of the version.
        tags: of the version.
    """

    name: str
    version: int
    sha256: str
    run_id: str | None
    aliases: tuple[str, ...]
    tags: Mapping[str, str]

    @property
    def model_format(self) -> int:
        """Format of the logged model, see `model_format.py`. Versions of format 1 have no tag."""
        return int(self.tags.get(FORMAT_TAG, 1))

    @property
    def uri(self) -> str:
        """Address by number, which always means the same model."""
        return f"models:/{self.name}/{self.version}"


@dataclass(frozen=True)
class Registry:
    """The versions of all portfolios; a registered model has its portfolio's name."""

    tracking: Tracking

    def register(
        self,
        name: str,
        model_uri: str,
        sha256: str,
        run_id: str,
        tags: Mapping[str, str] | None = None,
        alias: str | None = STAGING,
    ) -> Version:
        """Register a logged model as a version, and give it an alias.

        A version with the same bundle and the present model format is used again.

        Args:
            name: of the portfolio.
            model_uri: of the logged model, `models:/m-...`.
            sha256: of its bundle.
            run_id: MLflow run that logged it.
            tags: more tags of a new version.
            alias: moves to the version; None moves no alias.

        Raises:
            ModelFormatError: the model was logged in an older format.
        """
        from mlflow.exceptions import MlflowException

        client, model_id = self.tracking.client(), model_uri.removeprefix("models:/")
        require_format(int(client.get_logged_model(model_id).tags.get(FORMAT_TAG, 1)))
        found = self.find(name, sha256)
        if found is None or found.model_format != MODEL_FORMAT:
            try:
                client.create_registered_model(name)
            except MlflowException as error:
                if error.error_code != "RESOURCE_ALREADY_EXISTS":
                    raise
            created = client.create_model_version(
                name,
                source=model_uri,
                run_id=run_id,
                model_id=model_id,
                tags={**(tags or {}), _SHA256: sha256, FORMAT_TAG: str(MODEL_FORMAT)},
                await_creation_for=60,
            )
            found = self.version(name, int(created.version))
        if alias is not None:
            self.set_alias(name, alias, found.version)
        return self.version(name, found.version)

    def find(self, name: str, sha256: str) -> Version | None:
        """The oldest version with this bundle in the newest model format; None without any."""
        found = self.tracking.client().search_model_versions(f"name = '{name}'", max_results=10_000)
        same = [_version(version) for version in found if version.tags.get(_SHA256) == sha256]
        chosen = min(same, key=lambda version: (-version.model_format, version.version), default=None)
        return self.version(name, chosen.version) if chosen else None

    def version(self, name: str, number: int) -> Version:
        """A version by number.

        Raises:
            RegistryError: the version does not exist.
        """
        return self._lookup(f"version {number}", name, lambda client: client.get_model_version(name, str(number)))

    def alias(self, name: str, alias: str) -> Version | None:
        """The version of an alias; None if it is not set."""
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
        """Add tags to a version, such as its promotion verdict."""
        client = self.tracking.client()
        for key, value in tags.items():
            client.set_model_version_tag(name, str(number), key, value)

    def reconcile(self, ledger: Ledger, name: str) -> Champion | None:
        """Set alias `production` as the ledger says.

        One run at a time does this for a portfolio, and it reads the ledger after it has begun. A promotion that comes
        meanwhile is followed by a call of its own.

        If the champion's model was logged in an older format and its bundle was registered again since, the alias
        gets the newer version, because MLflow can load only that one.

        Returns:
            The champion; None before the first promotion.

        Raises:
            RegistryError: the registry lacks the champion's version, or has another bundle under its number.
        """
        with ledger.exclusively(name):
            return self._reconciled(name, ledger.champion(name))

    def _reconciled(self, name: str, champion: Champion | None) -> Champion | None:
        mirrored = self.alias(name, PRODUCTION)
        if champion is None:
            if mirrored is not None:
                self.tracking.client().delete_registered_model_alias(name, PRODUCTION)
            return None
        version = self.version(name, champion.version)
        if version.sha256 != champion.model_sha256:
            raise RegistryError(
                f"{name} version {champion.version} has SHA-256 {version.sha256} in the registry, but the ledger "
                f"promoted {champion.model_sha256}. Restore the registry's backup, or promote a version again."
            )
        if version.model_format != MODEL_FORMAT:
            version = self.find(name, version.sha256) or version
        if mirrored is None or mirrored.version != version.version:
            self.set_alias(name, PRODUCTION, version.version)
        return champion

    def _lookup(self, what: str, name: str, get: Any) -> Version:
        from mlflow.exceptions import MlflowException

        try:
            return _version(get(self.tracking.client()))
        except MlflowException as error:
            if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                raise RegistryError(
                    f"{name} has no {what} in the registry. Restore the registry's backup, or promote a version again."
                ) from error
            raise


def _version(found: Any) -> Version:
    tags = dict(found.tags)
    aliases = tuple(sorted(found.aliases))
    return Version(found.name, int(found.version), tags.get(_SHA256, ""), found.run_id, aliases, tags)
