"""The common style of all plots, and PNG files whose bytes depend only on the drawing."""

import base64
import io
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Palette of Okabe and Ito, distinct for every kind of colour vision.
BLUE, ORANGE, RED = "#0072B2", "#E69F00", "#D55E00"
INK, SOFT, GRID = "#1b2733", "#5b6b7b", "#e3e8ed"

_STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.edgecolor": SOFT,
    "axes.labelcolor": SOFT,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "text.color": INK,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "legend.frameon": False,
    "lines.linewidth": 2,
    "figure.constrained_layout.h_pad": 0.1,
    "figure.constrained_layout.w_pad": 0.1,
}


def draw(title: str, content: "Callable[[Axes], None]", *, square: bool = False, height: float = 3.6) -> bytes:
    """Draw one plot.

    Args:
        title: of the plot.
        content: draws on the axes.
        square: 520 by 500 pixels instead of 700 by `height`.
        height: in hundreds of pixels, unless square.

    Returns:
        PNG bytes.
    """
    import matplotlib.style
    from matplotlib.figure import Figure

    # "default" first, because a matplotlibrc of the user must not change the bytes.
    with matplotlib.style.context(["default", _STYLE]):
        figure = Figure(figsize=(5.2, 5.0) if square else (7.0, height), dpi=100, layout="constrained")
        axes = figure.subplots()
        axes.set_title(title)
        content(axes)
        return _png(figure)


def draw_bars(
    title: str,
    names: Sequence[str],
    values: Sequence[float],
    colors: Sequence[str],
    content: "Callable[[Axes], None]",
) -> bytes:
    """Draw horizontal bars, the first on top.

    Args:
        title: of the plot.
        names: of the bars, of length n.
        values: lengths of the bars, of length n.
        colors: of the bars, of length n.
        content: draws more on the axes.

    Returns:
        PNG bytes.
    """

    def bars(axes: "Axes") -> None:
        at = np.arange(len(names))
        axes.barh(at, values, color=colors, height=0.62)
        axes.set_yticks(at, list(names), color=INK)
        axes.set_ylim(len(names) - 0.4, -0.6)
        axes.grid(visible=False, axis="y")
        axes.tick_params(axis="y", length=0)
        content(axes)

    return draw(title, bars, height=1.1 + 0.24 * max(len(names), 2))


def format_percent(axes: "Axes", which: str) -> None:
    """Label an axis, `x`, `y` or `both`, in per cent."""
    for name in ("x", "y") if which == "both" else (which,):
        getattr(axes, f"{name}axis").set_major_formatter(lambda share, _: f"{100 * share:.4g}%")


def markdown_image(png: bytes, text: str = "") -> str:
    """Markdown with the PNG inline, as a data URI.

    Args:
        png: PNG bytes.
        text: alternative text.
    """
    return f"![{text}](data:image/png;base64,{base64.b64encode(png).decode()})"


def _png(figure: "Figure") -> bytes:
    """The figure in 64 colours, a third of the size. The size matters because event logs hold the image."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba())[:, :, :3]
    file = io.BytesIO()
    Image.fromarray(pixels).quantize(64, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return file.getvalue()
