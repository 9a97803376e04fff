"""One physical system a file or folder."""

from .spring import EntropicSpring as EntropicSpring
