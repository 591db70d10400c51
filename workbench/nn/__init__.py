"""Networks: layers with their backward passes, losses, initializers, and the exponentially weighted average.

NumPy only; knows nothing of optimizers, data sets, training loops or hyperparameter edits.
Rows are examples: X (m, n_in), W (n_in, n_out), Z = A_prev @ W + b. Operations act on the last two axes.
"""
