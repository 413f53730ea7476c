"""Names that the platform gives a meaning of its own."""

TARGET = "target"  # 1 default, 0 repaid, null not known yet
EXPOSURE = "exposure"  # what is at stake, computed beside the features
SOURCE_LOCATION = ("source_file", "source_line")  # where a row came from
CONTENT, IN_LAST_FILE, LATEST_BY = "content", "in_last_file", "latest_by"  # of rows that files add to
RESERVED_NAMES = frozenset(
    {TARGET, EXPOSURE, *SOURCE_LOCATION, CONTENT, IN_LAST_FILE, LATEST_BY, "probability", "score", "row"}
)
MAIN_TABLE = "loans"  # of a book of linked files: applications take its place when they are scored
