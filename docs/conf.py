"""How Sphinx builds the site: ``python -m sphinx -W -b dirhtml docs site``.

The pages of the verbs, and the reports that they link to, are written anew by every build, from the commands
themselves (``verb_pages.py``, ``reports.py``). Nothing is fetched, neither by the build nor by the pages.
"""

import sys
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

import ckptinspect  # noqa: E402
from docs.reports import write_reports  # noqa: E402
from docs.verb_pages import write_pages  # noqa: E402

project = "ckptinspect"
author = copyright = "The ckptinspect developers"  # noqa: A001 - Sphinx reads this name
version = release = ckptinspect.__version__.partition(".dev")[0]

extensions = ["myst_parser", "sphinx.ext.autodoc"]
myst_enable_extensions = ["deflist"]
exclude_patterns = ["_made"]
nitpicky = True
# Names of the standard library: what they are is in Python's own documentation, which a build does not fetch.
nitpick_ignore_regex = [("py:.*", r"(collections\.abc|os|typing|enum)\..*")]
suppress_warnings = ["myst.header"]  # a page may begin below its first heading, where it is made of another's part

myst_heading_anchors = 4
myst_links_external_new_tab = False

autodoc_member_order = "bysource"
autodoc_typehints = "signature"
python_use_unqualified_type_names = True
add_module_names = False

html_theme = "furo"
html_title = "ckptinspect"
html_static_path = ["_static"]
html_favicon = "_static/icon.svg"
html_css_files = ["site.css"]
html_copy_source = False
html_extra_path = ["_made"]
html_show_sphinx = False
html_theme_options: dict[str, Any] = {"top_of_page_buttons": []}
highlight_language = "none"  # what a command prints has no grammar


def setup(app: Any) -> None:
    """Sphinx calls this before it reads the first page."""
    write_pages(HERE / "verbs")
    write_reports(HERE / "_made" / "reports")
    app.connect("source-read", _list_decisions)
    app.connect("autodoc-process-signature", _without_insides)


def _list_decisions(_: Any, page: str, source: list[str]) -> None:
    """The list of decisions also tells the navigation of them; as it stands it is one for readers of the sources."""
    if page == "decisions/README":
        source[0] += "\n```{toctree}\n:hidden:\n:glob:\n\n*\n```\n"


def _without_insides(_: Any, __: str, name: str, *___: Any) -> tuple[str, None] | None:
    """Counts and differences are made by functions: what they are made of is nobody's business."""
    return ("", None) if name in {"ckptinspect.Count", "ckptinspect.Diff"} else None
