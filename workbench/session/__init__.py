"""Presets and sessions: what a run is made from, and what is kept of it. Values, and the form in which they are stored.

The TOML of both and the checkpoints live on this floor only. It knows no thread, process or screen, and trains nothing.
"""
