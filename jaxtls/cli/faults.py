"""Names what the command line refuses."""


class InputError(Exception):
    """Names a fault in what the user gave: shown as one sentence, exit code 2."""
