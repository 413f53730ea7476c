"""How BentoML's supervisor looks after the workers."""

from functools import partial

import bentoml._internal.utils.circus as bentoml_circus

LOOK_SECONDS = 1.0


def watch_closely() -> None:
    """Let the supervisor look for dead workers each second.

    BentoML looks every ten and has no setting for it, and a service of one worker would be away as long.
    """
    made = bentoml_circus.create_standalone_arbiter
    bentoml_circus.create_standalone_arbiter = partial(made, check_delay=LOOK_SECONDS)
