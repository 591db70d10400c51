"""How gradients become updates: optimizers, penalties, and learning-rate schedules.

Acts on flat arrays; knows nothing of layers, data or the training loop.
"""
