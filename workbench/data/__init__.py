"""Examples: where they come from, how they are split and preprocessed, and in what order training sees them.

Owns the shipped digits, the synthetic sets, the train/dev/test split, the normalization and the mini-batches. Must not know of
networks, optimizers or sessions; NumPy only.
"""
