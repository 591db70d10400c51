"""Textual's own dark and light themes, mended where their text could not be read (WCAG 2.1 asks for a contrast of 4.5 to 1)."""

from __future__ import annotations

from collections.abc import Mapping

_NAVY = "#004578"
_CURSOR = {"block-cursor-background": _NAVY, "block-cursor-foreground": "#ffffff"}
READABLE: Mapping[str, Mapping[str, str]] = {
    "textual-dark": {**_CURSOR, "text-disabled": "auto 75%", "border": "#2b8fdd"},
    "textual-light": {
        **_CURSOR, "primary-muted": "#cbd9e4", "block-cursor-blurred-background": "#cbd9e4", "text-disabled": "auto 90%",
        "text-muted": "auto 80%", "footer-key-foreground": _NAVY, "text-success": "#175c2c",
        "text-warning": "#6b4700", "text-error": "#8f1d3a",
    },
}  # fmt: skip
"""CSS variables by the theme's name. Other themes are as Textual has them."""
