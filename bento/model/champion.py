"""The model in force: the champion, verified before it is swapped in. It stays when the registry is unavailable."""

import contextlib
import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bento.model.champion_ref import ChampionRef, Withdrawn
from bento.model.copies import ModelCopies
from loan_platform.adapters.ledger.entries import BrokenLedgerError
from loan_platform.core.applications.reader import ApplicationReader
from loan_platform.core.errors import ExplainedError
from loan_platform.core.scoring.bundle import Bundle, BundleError, load_bundle
from loan_platform.core.scoring.predictor import Predictor

log = logging.getLogger("loan_platform.service")

START_SECONDS = 3.0  # the start waits this long for the registry
RETRY_SECONDS = 60.0  # a rejected model is tried again after this time: it may have been repaired


@dataclass(frozen=True)
class Serving:
    """One verified model, ready to answer."""

    version: int
    sha256: str
    bundle: Bundle
    predictor: Predictor
    reader: ApplicationReader
    directory: Path

    @classmethod
    def load(cls, version: int, sha256: str, directory: Path, threads: int = 1) -> "Serving":
        """Load and verify a model, and let it answer once.

        Raises:
            BundleError: the bundle is damaged or has another hash.
        """
        bundle = load_bundle(directory, expected_sha256=sha256, threads=threads)
        predictor = Predictor(bundle.model)
        rows = bundle.golden.frame(bundle.model)
        broken = bundle.model.feature_set.broken_rules(rows)  # a golden row is a loan, and may break a rule
        if kept := [row for row in range(rows.height) if row not in broken]:
            predictor.predict_one(rows.slice(kept[0], 1), explain=True)
        return cls(version, sha256, bundle, predictor, ApplicationReader(bundle.model), directory)


class Champions:
    """Follows the champion in the registry.

    Args:
        find: asks the registry. It returns None if nothing was promoted yet, and `Withdrawn` if the champion may not
            answer any more.
        copies: of models on this machine. The newest one answers if the registry is unavailable.
        seconds: between two polls of the registry.
        baked: a champion whose bundle needs no copy, for a start without registry and copy. It does not answer if it,
            or a later version, is known to be withdrawn.

    Attributes:
        serving: the model in force, replaced in one assignment. None before there is one, and after its withdrawal.
        withdrawn: why there is none, after a withdrawal.
        withdrawn_versions: earlier versions that may not answer any more, as batch jobs would let them.
        refusal: why the last candidate was rejected. None if it was not.
        swaps, refusals: their numbers since the start.
        challenger: the last version that the policy rejected since the champion was promoted.
    """

    def __init__(
        self,
        find: Callable[[], ChampionRef | Withdrawn | None],
        copies: ModelCopies,
        seconds: float,
        baked: ChampionRef | None = None,
    ) -> None:
        self.serving: Serving | None = None
        self.withdrawn: str | None = None
        self.withdrawn_versions: frozenset[int] = frozenset()
        self.refusal: str | None = None
        self.swaps = self.refusals = 0
        self.swapped_at: float | None = None
        self.challenger: dict[str, Any] | None = None
        self._find, self._copies, self._seconds, self._baked = find, copies, seconds, baked
        self._stop, self._polled = threading.Event(), threading.Event()
        self._swapping = threading.Lock()
        self._rejected: tuple[int, str] | None = None
        self._rejected_at = 0.0
        self._has_served = False
        self._thread = threading.Thread(target=self._poll_always, name="champion", daemon=True)

    def start(self) -> None:
        """Load the champion and follow it. If the registry does not answer in time, load the newest verified copy."""
        self._thread.start()
        self._polled.wait(START_SECONDS)
        if self.serving is None and self.withdrawn is None:
            self._from_cache()
        if self.serving is None and self.withdrawn is None:
            if known := self._copies.withdrawal(self._baked.version if self._baked else 0):
                self._withdraw(known)
            elif self._baked is not None:
                self._take(self._baked, only_first=True)

    def stop(self) -> None:
        """Stop following."""
        self._stop.set()

    def poll(self) -> None:
        """Ask the registry once. Raises nothing.

        A new champion is verified and swapped in; a bad one is rejected. A withdrawn one stops answering.
        """
        try:
            ref = self._find()
        except Exception as error:  # of any kind: the model in force keeps answering
            why = str(error) if isinstance(error, BrokenLedgerError) else type(error).__name__
            log.warning("the registry is unavailable (%s): the model in force keeps answering", why)
            return
        if isinstance(ref, Withdrawn):
            self._withdraw(ref)
            return
        self.challenger = ref.challenger if ref else None
        self.withdrawn_versions = ref.withdrawn_versions if ref else frozenset()
        if ref is None or self._is_serving(ref) or self._was_rejected(ref):
            return
        self._take(ref)

    def _withdraw(self, told: Withdrawn) -> None:
        """Stop answering, also after a restart without the registry."""
        with self._swapping:
            known = self.serving is None and self.withdrawn == told.reason
            self.serving, self.withdrawn, self.challenger = None, told.reason, None
        if not known:
            with contextlib.suppress(ExplainedError, OSError):  # of a folder that cannot be written
                self._copies.withdraw(told)
            log.error("no model answers: %s", told.reason)

    def _take(self, ref: ChampionRef, only_first: bool = False) -> None:
        try:
            self._swap(Serving.load(ref.version, ref.sha256, self._local_copy(ref)), only_first)
        except Exception as error:  # of any kind: the model in force keeps answering
            if isinstance(error, BundleError) and not self._is_baked(ref.sha256):
                self._copies.discard(ref.sha256)
            self._reject(ref, error)

    def _is_serving(self, ref: ChampionRef) -> bool:
        serving = self.serving
        return serving is not None and (serving.version, serving.sha256) == ref[:2]

    def _is_baked(self, sha256: str) -> bool:
        return self._baked is not None and self._baked.sha256 == sha256

    def _was_rejected(self, ref: ChampionRef) -> bool:
        return self._rejected == ref[:2] and time.monotonic() - self._rejected_at < RETRY_SECONDS

    def _local_copy(self, ref: ChampionRef) -> Path:
        if self._baked is not None and self._is_baked(ref.sha256):
            return self._baked.bundle
        return self._copies.make(ref)

    def _swap(self, serving: Serving, only_first: bool) -> None:
        """Let a model answer; with `only_first` not if the registry has answered meanwhile."""
        with self._swapping:
            if only_first and (self.serving is not None or self.withdrawn is not None):
                return
            self.serving, self.withdrawn, self.refusal, self._rejected = serving, None, None, None
            self.swaps += self._has_served
            self._has_served = True
        self.swapped_at = time.time()
        if not only_first:
            self._copies.forget_withdrawal()
        log.info("version %s (%s) answers", serving.version, serving.sha256[:12])
        if self._is_baked(serving.sha256):
            return
        try:
            self._copies.remember(serving.version, serving.sha256)
        except (ExplainedError, OSError) as error:
            log.error(
                "version %s answers, but its copy cannot be kept for a start without the registry: %s",
                serving.version,
                error,
            )

    def _reject(self, ref: ChampionRef, error: Exception) -> None:
        self.refusals += 1
        self._rejected, self._rejected_at = (ref.version, ref.sha256), time.monotonic()
        why = str(error) if isinstance(error, ExplainedError | OSError) else type(error).__name__
        self.refusal = f"version {ref.version} ({ref.sha256[:12]}): {why}"
        log.error("rejected %s", self.refusal)

    def _from_cache(self) -> None:
        try:
            newest = self._copies.newest()
            if newest is None:
                return
            if known := self._copies.withdrawal(newest.version):
                self._withdraw(known)
                return
            serving = Serving.load(newest.version, newest.sha256, newest.bundle)
        except (ExplainedError, OSError, ValueError, KeyError, TypeError) as error:
            self.refusal = f"the local copy: {error}"
            log.error("rejected %s", self.refusal)
            return
        with self._swapping:
            if self.serving is not None or self.withdrawn is not None:  # the registry has answered meanwhile
                return
            self.serving, self._has_served = serving, True
        log.info("version %s answers, from the local copy", serving.version)

    def _poll_always(self) -> None:
        self.poll()
        self._polled.set()
        while not self._stop.wait(self._seconds):
            self.poll()
