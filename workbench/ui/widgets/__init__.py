"""What panels and dialogs are made of: charts, pictures, the editor of hyperparameters, the cursor over a run. Knows no panel."""
