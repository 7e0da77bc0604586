"""Let the reference show examples in docstrings as code: Griffe knows such a section by its plural alone."""

import re
from typing import Any

from griffe import Extension, Object


class Examples(Extension):
    """Renames the section "Example:" while docstrings are collected."""

    def on_object(self, *, obj: Object, **_: Any) -> None:
        """Look at one function, class or module."""
        if obj.docstring is not None:
            obj.docstring.value = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE)
