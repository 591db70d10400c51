"""The terminal app: the only importer of Textual and plotext.

Floor 5. The screen owns the engine in a worker; reports arrive as messages, are folded into a `Monitor`, and panels
redraw from it on a timer. Edits leave as requests; nothing here trains or writes a file.
"""
