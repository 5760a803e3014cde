"""What is typed into the search field -> the tensors that it means.

Words that all stand somewhere in the name, in any order and in letters of any size; ``*`` in a word stands for any
characters, ``?`` for one.
"""

import re
from collections.abc import Callable, Iterable, Sequence

import msgspec

_Has = Callable[[str], object]


class Query(msgspec.Struct, frozen=True):
    """The words that a name must have, in small letters. A query of no words is had by every name.

    >>> Query.of("Layers.1?. norm").among(range(3), ["layers.1.norm", "layers.10.norm", "layers.12.mlp"])
    [1]
    """

    words: tuple[str, ...] = ()

    @classmethod
    def of(cls, text: str) -> "Query":
        """The query that a text spells."""
        return cls(tuple(dict.fromkeys(text.lower().split())))

    def beyond(self, earlier: "Query") -> "Query | None":
        """What is left to be looked for among all that an earlier query found; None where that may lack some.

        >>> Query.of("mlp 1.gate").beyond(Query.of("mlp 1.g")), Query.of("ml").beyond(Query.of("mlp"))
        (Query(words=('1.gate',)), None)
        """
        if len(earlier.words) > len(self.words):
            return None
        pairs = list(zip(self.words, earlier.words, strict=False))
        if not all(word.startswith(before) for word, before in pairs):
            return None
        return Query(tuple(word for word, before in pairs if word != before) + self.words[len(pairs) :])

    def among(self, numbers: Iterable[int], names: Sequence[str]) -> list[int]:
        """Those of the numbers whose names have all the words, in their order; ``names`` are in small letters."""
        found = list(numbers)
        for word in sorted(self.words, key=len, reverse=True):
            # A pass with nothing but `in` in it: 92,000 names take some milliseconds.
            if literal := _literal(word):
                found = [number for number in found if literal in names[number]]
            if (has := _pattern(word)) is not None:
                found = [number for number in found if has(names[number])]
        return found


def lowered(names: Sequence[str]) -> list[str]:
    """The names in small letters.

    >>> lowered(["lm_head.Weight", "A"])
    ['lm_head.weight', 'a']
    """
    small = "\n".join(names).lower().split("\n")
    # A name with a line break in it: one by one.
    return small if len(small) == len(names) else [name.lower() for name in names]


def _literal(word: str) -> str:
    """The longest part of a word that a name has as it stands, where it has the word."""
    return max(re.split(r"[*?]", word), key=len)


def _pattern(word: str) -> _Has | None:
    """Whether a name has a word with signs in it, as a pattern whose time does not explode whatever the name is.

    None where it has none: its literal says it all.
    """
    parts = [part for part in word.split("*") if part]
    if len(parts) > 1:
        return re.compile("".join(map(_up_to, parts)), re.DOTALL).match
    if not parts or "?" not in parts[0]:
        return None
    # Signs ahead ask for no more than room: literals are found faster where they come first.
    behind = parts[0].lstrip("?")
    return re.compile(f"{_spelled(behind)}(?<=.{{{len(parts[0])}}})", re.DOTALL).search


def _up_to(part: str) -> str:
    """All up to the end of a part: where it comes first will do, so an atomic group never goes back for another."""
    spelled = _spelled(part)
    if "?" in part:
        return f"(?>.*?{spelled})"
    # From one place of its first letter to the next: half the time of looking at each letter.
    first = re.escape(part[0])
    other = f"[^{first}]*+"
    return f"(?>(?:{other}(?!{spelled}){first})*+{other}{spelled})"


def _spelled(part: str) -> str:
    """A part of a word: of one length, each sign for any one character."""
    return "".join("." if char == "?" else re.escape(char) for char in part)
