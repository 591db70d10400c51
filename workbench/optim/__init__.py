"""How gradients become updates: optimizers, penalties, and learning-rate schedules.

Floor 1. Acts on flat arrays; knows nothing of layers, data or the training loop.
"""
