"""From measured files to fitted models: what the command line says, as functions."""
