"""Pages as a browser's parser reads them, and the data in them as plain lists."""

import json
import re
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from typing import Any
from xml.etree.ElementTree import Element

import html5lib

_LIBRARY = 1_000_000


class Page:
    """A page. What the HTML standard calls a parse error is an error here.

    The parser takes ten seconds for a charting library, so that it is kept from it: a script ends where the first
    closing tag stands, unless it holds the beginning of a comment.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self.scripts = re.findall("<script>(.*?)</script", text, re.DOTALL | re.IGNORECASE)
        libraries = [script for script in self.scripts if len(script) > _LIBRARY]
        for script in libraries:
            assert "<!--" not in script
            text = text.replace(script, "")
        parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
        self.root: Element = parser.parse(text)
        running = [text_in(e) for e in self.all("script") if e.get("type") is None]
        assert running == [script if len(script) <= _LIBRARY else "" for script in self.scripts]

    def all(self, tag: str, **attributes: str) -> list[Element]:
        """The elements of a tag that have these attributes."""
        return [e for e in self.root.iter(tag) if all(e.get(key) == value for key, value in attributes.items())]

    def of_class(self, name: str) -> list[Element]:
        """The elements of a class."""
        return [e for e in self.root.iter() if isinstance(e.tag, str) and name in (e.get("class") or "").split()]

    @property
    def policy(self) -> dict[str, list[str]]:
        """The content security policy, directive by directive."""
        (meta,) = self.all("meta", **{"http-equiv": "Content-Security-Policy"})
        parts = [part.split() for part in (meta.get("content") or "").split(";")]
        return {name: values for name, *values in parts}

    def data(self, place: str) -> Any:
        """The data that stands in the only element of a class."""
        (element,) = self.of_class(place)
        return data_in(element)


def text_in(element: Element) -> str:
    """All text below an element."""
    return "".join(element.itertext())


def words_in(element: Element) -> str:
    """All text below an element but that of scripts, with single blanks."""
    texts = [element.text or ""]
    for child in element:
        blank = " " if child.tag in {"td", "th", "li", "p"} else ""
        texts += [words_in(child) if child.tag not in {"script", "style"} else "", blank, child.tail or ""]
    return re.sub(r"\s+", " ", "".join(texts)).strip()


def data_in(element: Element) -> Any:
    """The data that a script in an element reads."""
    (script,) = (e for e in element.iter("script") if e.get("type") == "application/json")
    return json.loads(text_in(script))


def hash_of(text: str) -> str:
    """A text's hash as a policy names it."""
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"


def tensors_in(data: Any) -> Iterator[tuple[object, ...]]:
    """Every tensor that the data of ``inside.py`` tell of: name, module, dtype, shape, parameters, bytes and file."""
    runs = zip(data["where"][::2], data["where"][1::2], strict=True)
    files = iter([data["files"][number] for number, times in runs for _ in range(times)])

    def below(number: int, above: str, module: str) -> Iterator[tuple[object, ...]]:
        _, _, _, own, inner = data["nests"][number]
        for word, leaf in own:
            dtype, _, _, shape, parameters, nbytes = data["leaves"][leaf]
            yield above + word, module, data["dtypes"][dtype], shape, parameters, nbytes, next(files)
        for words, nest in inner:
            each = [words] if isinstance(words, str) else map(str, range(words[0], words[1] + 1))
            for word in each:
                yield from below(nest, f"{above}{word}.", module)

    for module, number in data["modules"]:
        yield from below(number, "", module)
    assert next(files, None) is None
