"""Text, errors, TOML, whole writes and locks: what every floor that meets a file needs. Knows nothing of networks."""
