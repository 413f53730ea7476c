"""The model that answers: the champion, verified completely before one swap, kept when the registry is gone."""

import contextlib
import json
import logging
import os
import re
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from loan_platform.adapters.storage.atomic_files import atomic_write, partial_path, remove
from loan_platform.core.applications.reader import ApplicationReader
from loan_platform.core.errors import ExplainedError, NotMaterializedError
from loan_platform.core.scoring.bundle import Bundle, BundleError, load_bundle
from loan_platform.core.scoring.predictor import Predictor

log = logging.getLogger("loan_platform.service")

NEWEST = "newest.json"
_COPY = re.compile(r"[0-9a-f]{64}")
KEPT = 3  # copies of models that answered before, to go back to without the lake
START_SECONDS = 3.0  # that a start waits for the registry
REFUSED_SECONDS = 60.0  # a refused model is looked at again after so long: it may have been repaired


class Named(NamedTuple):
    """What the registry calls the champion, and where its bundle is."""

    version: int
    sha256: str
    bundle: Path
    challenger: dict[str, Any] | None = None  # what was refused since it became champion


@dataclass(frozen=True)
class Serving:
    """One verified model with all that answers need of it."""

    version: int
    sha256: str
    bundle: Bundle
    predictor: Predictor
    reader: ApplicationReader
    directory: Path

    @classmethod
    def of(cls, version: int, sha256: str, directory: Path, threads: int = 1) -> "Serving":
        """Load, verify, and answer once.

        Raises:
            BundleError: the bundle is damaged or is not the named one.
        """
        bundle = load_bundle(directory, expected_sha256=sha256, threads=threads)
        predictor = Predictor(bundle.model)
        predictor.predict_one(bundle.golden.frame(bundle.model).head(1), explain=True)
        return cls(version, sha256, bundle, predictor, ApplicationReader(bundle.model), directory)


class Champions:
    """Follows the champion.

    Args:
        find: asks the registry; None where nothing was promoted yet.
        cache: directory of verified copies; the newest answers when the registry is gone.
        seconds: between two questions.
        at_hand: a champion whose bundle needs no copy, for a start without registry and copy.

    Attributes:
        serving: the model in force, replaced in one assignment; None before there is one.
        refusal: why the last candidate was refused; None where none was.
        swaps, refusals: how many there were.
        challenger: the last version that the policy refused since the champion is one.
    """

    def __init__(
        self, find: Callable[[], Named | None], cache: Path, seconds: float, at_hand: Named | None = None
    ) -> None:
        self.serving: Serving | None = None
        self.refusal: str | None = None
        self.swaps = self.refusals = 0
        self.swapped_at: float | None = None
        self.challenger: dict[str, Any] | None = None
        self._find, self._cache, self._seconds, self._at_hand = find, cache, seconds, at_hand
        self._stop, self._looked = threading.Event(), threading.Event()
        self._swapping = threading.Lock()
        self._refused: tuple[int, str] | None = None
        self._refused_at = 0.0
        self._thread = threading.Thread(target=self._follow, name="champion", daemon=True)

    def start(self) -> None:
        """Load the champion, or the newest verified copy where the registry does not answer in time; and follow it."""
        self._thread.start()
        self._looked.wait(START_SECONDS)
        if self.serving is None:
            self._from_cache()
        if self.serving is None and self._at_hand is not None:
            self._take(self._at_hand)

    def stop(self) -> None:
        """End following."""
        self._stop.set()

    def look(self) -> None:
        """Ask the registry once; a new champion is verified and swapped in, a bad one refused. Raises nothing."""
        try:
            named = self._find()
        except Exception as error:  # whatever the registry's client raises, the model at hand goes on answering
            log.warning("the registry does not answer (%s); the model at hand goes on", type(error).__name__)
            return
        self.challenger = named.challenger if named else None
        if named is None or self._is_serving(named) or self._was_refused(named):
            return
        self._take(named)

    def _take(self, named: Named) -> None:
        try:
            self._swap(Serving.of(named.version, named.sha256, self._copied(named)))
        except Exception as error:  # whatever is wrong with a candidate, the model at hand goes on answering
            if isinstance(error, BundleError) and not self._is_at_hand(named.sha256):
                remove(self._cache / named.sha256)
            self._refuse(named, error)

    def _is_serving(self, named: Named) -> bool:
        serving = self.serving
        return serving is not None and (serving.version, serving.sha256) == named[:2]

    def _is_at_hand(self, sha256: str) -> bool:
        return self._at_hand is not None and self._at_hand.sha256 == sha256

    def _was_refused(self, named: Named) -> bool:
        return self._refused == named[:2] and time.monotonic() - self._refused_at < REFUSED_SECONDS

    def _copied(self, named: Named) -> Path:
        """A copy of our own: what is verified is what is used, whatever becomes of the lake."""
        if self._at_hand is not None and self._is_at_hand(named.sha256):
            return self._at_hand.bundle
        copy = self._cache / named.sha256
        if not copy.is_dir():
            self._cache.mkdir(parents=True, exist_ok=True)
            partial = partial_path(copy)
            try:
                shutil.copytree(named.bundle, partial)
                with contextlib.suppress(OSError):  # another process may have put its copy there
                    partial.rename(copy)
            except FileNotFoundError as error:
                raise NotMaterializedError(
                    f"model {named.sha256[:12]} is not in the lake: train and promote"
                ) from error
            finally:
                remove(partial)
        return copy

    def _swap(self, serving: Serving) -> None:
        with self._swapping:
            first = self.serving is None
            self.serving, self.refusal, self._refused = serving, None, None
        self.swapped_at = time.time()
        self.swaps += not first
        log.info("version %s (%s) answers", serving.version, serving.sha256[:12])
        if self._is_at_hand(serving.sha256):
            return
        try:
            self._remember(serving)
        except (ExplainedError, OSError) as error:
            log.error(
                "version %s answers, and is not kept for a start without the registry: %s", serving.version, error
            )

    def _remember(self, serving: Serving) -> None:
        newest = {"version": serving.version, "sha256": serving.sha256}
        atomic_write(self._cache / NEWEST, json.dumps(newest) + "\n")
        os.utime(self._cache / serving.sha256)
        # Records and jobs have folders here too: only what is named as a copy may go.
        copies = [path for path in self._cache.iterdir() if _COPY.fullmatch(path.name) and path.name != serving.sha256]
        for old in sorted(copies, key=lambda path: path.stat().st_mtime)[:-KEPT]:
            remove(old)

    def _refuse(self, named: Named, error: Exception) -> None:
        self.refusals += 1
        self._refused, self._refused_at = (named.version, named.sha256), time.monotonic()
        why = str(error) if isinstance(error, ExplainedError | OSError) else type(error).__name__
        self.refusal = f"version {named.version} ({named.sha256[:12]}): {why}"
        log.error("refused %s", self.refusal)

    def _from_cache(self) -> None:
        try:
            newest: dict[str, Any] = json.loads((self._cache / NEWEST).read_bytes())
            serving = Serving.of(newest["version"], newest["sha256"], self._cache / newest["sha256"])
        except FileNotFoundError:
            return
        except (ExplainedError, OSError, ValueError, KeyError, TypeError) as error:
            self.refusal = f"the copy at hand: {error}"
            log.error("refused %s", self.refusal)
            return
        with self._swapping:
            if self.serving is not None:  # the registry has answered after all
                return
            self.serving = serving
        log.info("version %s answers, from the copy at hand", serving.version)

    def _follow(self) -> None:
        self.look()
        self._looked.set()
        while not self._stop.wait(self._seconds):
            self.look()
