"""What the screen knows, without a widget: values and folds that no module here needs Textual for."""
