"""The terminal app: the only importer of Textual and plotext.

A link owns the engine's process in a worker; reports arrive as messages, are folded into a `Monitor`, and panels redraw from
it on a timer. Edits leave as requests; nothing here trains, or writes a session. Files that are written here are the user's
own: how the screen was left, pictures of charts, presets made of edits.
"""
