"""The training engine: a generator that takes commands between steps and yields events.

No thread, clock or file: a run is a function of its data, its settings, the seed and the commands.
"""
