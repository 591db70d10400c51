"""Whole screens, the library and training: each puts parts together, which know no screen."""
