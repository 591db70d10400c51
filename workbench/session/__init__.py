"""Presets and sessions: what a run is made from, and what is kept of it.

TOML and checkpoints live on this floor only. It knows no thread, process or screen, and trains nothing.
"""
