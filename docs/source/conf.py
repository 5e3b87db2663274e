"""How Sphinx builds these pages: ``python dev.py docs``."""

from mlp import __version__

project = "MLP"
copyright = "the authors of MLP"
version = release = __version__
language = "en"

extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon"]
# Quotes and dashes stay as typed: in a page about a command line they are meant.
smartquotes = False
highlight_language = "none"

# The pages about Python are the docstrings; the types stand in the signatures.
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_class_signature = "separated"
autodoc_preserve_defaults = True
napoleon_use_ivar = True
napoleon_use_rtype = False
napoleon_numpy_docstring = False

html_theme = "furo"
html_title = f"MLP {release}"
html_copy_source = False
html_show_sourcelink = False
