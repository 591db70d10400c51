"""The engine in a process of its own, and the connection to it.

Floor 4. Processes and threads live here only. Nothing here knows a screen; what crosses the wire is MessagePack of
the frozen values in `messages` and in the engine's events and commands, never a pickle.
"""
