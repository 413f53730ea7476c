"""Runs several fits of one family at the same time."""

from collections.abc import Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from loan_platform.core.models.base import Family, FitContext, FittedModel, Params, Sample

MAX_PARALLEL_ROWS = 200_000  # above it memory is scarce, and one fit keeps several threads busy


def fit_each(
    family: Family, samples: Sequence[Sample], context: FitContext, params: Params, *, all_wanted: bool = True
) -> Generator[FittedModel, None, None]:
    """Fit one model per sample, in their order. Closing the iterator cancels the fits that have not started.

    Two parallel fits of one thread take 0.5 (20,000 loans x 60) to 0.9 (200,000 loans) of the time of two successive
    fits with two threads, because trees wait for each other at every split. The bytes are the same.

    Args:
        family: the kind of model.
        samples: one per model.
        context: of every fit; its threads are divided among the fits.
        params: of every fit.
        all_wanted: start with the largest sample, so that the last fits end together. False: keep the order, because
            the first models may make the others unnecessary.
    """
    if context.threads == 1 or max(len(sample.target) for sample in samples) > MAX_PARALLEL_ROWS:
        yield from (family.fit(sample, context, params) for sample in samples)
        return
    alone = replace(context, threads=1)
    with ThreadPoolExecutor(context.threads) as pool:
        order = sorted(range(len(samples)), key=lambda i: -len(samples[i].target) if all_wanted else i)
        begun = {i: pool.submit(family.fit, samples[i], alone, params) for i in order}
        try:
            for i in range(len(samples)):
                yield begun[i].result()
        finally:
            for future in begun.values():
                future.cancel()
