"""Where a value stands in a YAML file: a path of keys and of numbers in lists."""

Path = tuple[str | int, ...]


def path_text(path: Path) -> str:
    """`columns[3].sql`."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).lstrip(".")


def path_parts(text: str) -> Path:
    """The path behind a text such as `columns[3].sql`."""
    parts: list[str | int] = []
    for piece in text.split("."):
        name, *numbers = piece.split("[")
        parts += [name] if name else []
        parts += [int(number) for number in (n.rstrip("]") for n in numbers) if number.isdecimal()]
    return tuple(parts)
