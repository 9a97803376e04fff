"""Holds methods for generators that do not depend on time."""
