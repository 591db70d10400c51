"""Drawing: charts and histograms, without any knowledge of training."""
