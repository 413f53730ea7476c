"""Files that a process writes are its user's alone."""

import os

OTHERS = 0o077  # what group and others may do


def keep_files_private() -> None:
    """Let this process and its children give no right to other users of the machine. Files hold data of applicants."""
    os.umask(os.umask(OTHERS) | OTHERS)
