"""The crash-safe prediction store and the files of a run directory."""
