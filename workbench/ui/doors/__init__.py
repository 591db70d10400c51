"""The doors to the screen: all that is seen goes through one of these, and none takes a text that a terminal would obey.

Owns a `Text` that escapes whatever it is made of, and Textual's widgets with narrower types: they take that `Text` or a
`SafeText`, never a bare `str`, which Textual would read as markup too. `tests/test_doors.py` holds that the rest of `ui/` uses
nothing of Rich or Textual that shows a text by another way. Knows no training.
"""
