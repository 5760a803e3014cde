"""What holds of a built site: it fetches nothing from elsewhere, and its links lead somewhere.

``python -m docs.check SITE`` says what does not, and ends with 1 then.
"""

import sys
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_FETCHES = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}


class _Page(HTMLParser):
    """The addresses in a page: those that a browser fetches by itself, and those that a reader may follow."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.linked: list[str] = []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if address := given.get(_FETCHES.get(tag, "")):
            self.fetched.append(address)
        if tag == "a" and (address := given.get("href")):
            self.linked.append(address)


def objections(site: Path) -> Iterator[str]:
    """A sentence for whatever is wrong with the pages below ``site``."""
    for path in sorted(site.rglob("*.html")):
        page, name = _Page(path), path.relative_to(site)
        yield from (f"{name} fetches {address}" for address in page.fetched if _is_elsewhere(address))
        yield from (
            f"{name} leads to {address}, which is not there"
            for address in (*page.fetched, *page.linked)
            if not _is_elsewhere(address) and not _is_there(address, path.parent)
        )


def _is_elsewhere(address: str) -> bool:
    """Whether an address leads out of the site; what a page brings along in its own text does not."""
    parts = urlsplit(address)
    return bool(parts.netloc) or parts.scheme not in {"", "data"}


def _is_there(address: str, folder: Path) -> bool:
    parts = urlsplit(address)
    if parts.scheme == "data" or not parts.path:
        return True
    target = folder / unquote(parts.path)
    return target.is_file() or (target / "index.html").is_file()


def main(site: Path) -> int:
    """Say what is wrong; the exit code."""
    found = list(objections(site))
    number = len(list(site.rglob("*.html")))
    sys.stdout.writelines(f"{sentence}\n" for sentence in found)
    sys.stdout.write(f"{number} pages, {len(found)} objections\n")
    return int(bool(found) or not number)


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
