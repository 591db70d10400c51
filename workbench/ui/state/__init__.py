"""What the screen knows, as values and folds over what the engine reports. Knows no widget, and needs no Textual."""
