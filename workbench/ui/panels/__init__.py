"""The parts of the training screen. Each draws one side of the monitor and knows no other panel."""
