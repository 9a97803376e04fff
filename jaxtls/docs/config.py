"""Holds what Sphinx is told. There is no conf.py: `site` hands these over."""

from __future__ import annotations

from importlib.metadata import version

CONFIG: dict[str, object] = {
    "project": "jaxtls",
    "author": "The jaxtls developers",
    "copyright": "The jaxtls developers",
    "release": version("jaxtls"),
    "version": version("jaxtls"),
    "extensions": ["sphinx.ext.autodoc", "myst_nb", "jaxtls.docs.extension"],
    "html_theme": "pydata_sphinx_theme",
    "html_title": "jaxtls",
    "html_static_path": ["_static"],
    "html_css_files": ["jaxtls.css"],
    "html_favicon": "_static/jaxtls.svg",
    "html_logo": "_static/jaxtls.svg",
    "html_show_sourcelink": False,
    "html_copy_source": False,
    "html_sidebars": {name: [] for name in ("index", "figures", "papers", "migration", "performance")},
    "html_theme_options": {
        "logo": {"text": "jaxtls"},
        "navbar_align": "left",
        "navigation_with_keys": False,
        "show_prev_next": True,
        "show_nav_level": 1,
        "show_toc_level": 2,
        "header_links_before_dropdown": 8,
        "footer_start": ["copyright"],
        "footer_end": [],
        "secondary_sidebar_items": ["page-toc"],
        "pygments_light_style": "tango",
        "pygments_dark_style": "monokai",
    },
    # Notebooks show what they stored.
    "nb_execution_mode": "off",
    "myst_enable_extensions": ["dollarmath", "colon_fence", "deflist"],
    "myst_heading_anchors": 3,
    "myst_update_mathjax": False,
    # MathML is drawn by the browser itself: no script, no font, no network.
    "html_math_renderer": "mathml",
    "autodoc_typehints": "none",
    "autodoc_member_order": "bysource",
    "autodoc_preserve_defaults": True,
    "maximum_signature_line_length": 90,
    "smartquotes": False,
    "add_module_names": False,
    "python_use_unqualified_type_names": True,
    "toc_object_entries_show_parents": "hide",
    # Summaries are fetched, which a browser refuses to pages of a folder: the search needs none.
    "html_show_search_summary": False,
    "suppress_warnings": ["myst.header", "mystnb.unknown_mime_type", "docutils"],
}
