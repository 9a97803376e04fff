"""What a wheel carries for `python -m jaxtls docs` beside the package: the README and the notebooks.

An editable install takes them from the checkout, and must not lay a second folder of the package's name beside it.
"""

from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class Pages(BuildHookInterface):
    """Adds them to wheels that are no editable installs."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Called by hatchling before each build."""
        if version == "standard":
            build_data["force_include"] |= {"README.md": "jaxtls/docs/README.md", "notebooks": "jaxtls/docs/notebooks"}
