from .model import EntropicSpring as EntropicSpring
