"""What an engine and its client say to each other: a greeting, requests, reports, and their form as bytes.

Owns the messages, as values, and nothing else: whoever imports this loads nothing that trains, measures or reads data, and no
NumPy before the first array comes. A path in a message is one of the engine's side. Must not know what carries the bytes, who
is at either end, nor what a request does.
"""
