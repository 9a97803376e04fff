"""What the command line refuses."""


class InputError(Exception):
    """A fault in what the user gave: shown as one sentence, exit code 2."""
