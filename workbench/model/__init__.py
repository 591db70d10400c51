"""A trained network as a value, and what can be done with it: predict. What made it is not needed any more.

Owns what of a network is kept beside its tensors, and the names under which that lies in a checkpoint. Must not know of
training, sessions, sources of data, or files.
"""
