"""A session that is being trained: the run itself, going elsewhere in it, saving it, and replaying it.

Brings together what the floors below keep apart: a session's values and files, and the engine. Knows no screen and no
process but its own; whoever drives a run decides when it trains.
"""
