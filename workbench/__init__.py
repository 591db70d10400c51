"""A terminal workbench for training neural networks, live, with NumPy."""

__version__ = "0.1.0"
