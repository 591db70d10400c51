"""The user's own files, keys and layout: their TOML forms, and where they are. A bad one never keeps the app from starting."""
