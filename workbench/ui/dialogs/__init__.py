"""Questions that lie over a screen: each takes values, and is dismissed with a result."""
