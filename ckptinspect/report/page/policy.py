"""What a page may do, as it tells the browser: run and wear what it carries, and fetch nothing at all."""

from base64 import b64encode
from collections.abc import Iterable
from hashlib import sha256

import msgspec

_NOTHING = "default-src 'none'; base-uri 'none'; form-action 'none'"


class Policy(msgspec.Struct, frozen=True):
    """A content security policy (https://www.w3.org/TR/CSP3/) that names scripts and styles by their hashes.

    ``drawn`` where a charting library is among the scripts: such a library sets the ``style`` of what it draws, adds
    a style sheet that is empty at first, and measures with small pictures that it carries.
    """

    scripts: tuple[str, ...]
    styles: tuple[str, ...]
    drawn: bool = False

    @property
    def text(self) -> str:
        """The policy as a header or a ``meta`` element has it."""
        styles = (*self.styles, "") if self.drawn else self.styles
        parts = [_NOTHING]
        if self.scripts:
            parts.append(f"script-src {_hashes(self.scripts)}")
        parts.append(f"style-src-elem {_hashes(styles)}")
        if self.drawn:
            parts.append("style-src-attr 'unsafe-inline'; img-src data:")
        return "; ".join(parts)


def _hashes(texts: Iterable[str]) -> str:
    return " ".join(f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for text in texts)
