"""Whole screens: the library, training, help."""
