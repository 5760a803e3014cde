"""What is typed into the search field -> the tensors that it means.

Words that all stand somewhere in the name, in any order and in letters of any size; ``*`` in a word stands for any
characters, ``?`` for one.
"""

import re
from collections.abc import Callable, Iterable, Sequence

import msgspec

_Find = Callable[[str, int], int]


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

    def among(self, numbers: Iterable[int], names: Sequence[str]) -> list[int]:
        """Those of the numbers whose names have all the words, in their order; ``names`` are in small letters."""
        found = list(numbers)
        # One pass a word, with nothing but `in` in it: 92,000 names take some milliseconds.
        for word in sorted(self.words, key=len, reverse=True):
            for literal in _literals(word):
                found = [number for number in found if literal in names[number]]
            match _parts(word):
                case [part] if "?" in part:
                    has = _pattern(part).search
                    found = [number for number in found if has(names[number])]
                case [_, _, *_] as parts:
                    finds = [_find(part) for part in parts]
                    found = [number for number in found if _in_turn(names[number], finds)]
        return found


def lowered(names: Sequence[str]) -> list[str]:
    """The names in small letters.

    >>> lowered(["lm_head.Weight", "A"])
    ['lm_head.weight', 'a']
    """
    small = "\n".join(names).lower().split("\n")
    # A name with a line break in it: one by one.
    return small if len(small) == len(names) else [name.lower() for name in names]


def _parts(word: str) -> list[str]:
    return [part for part in word.split("*") if part]


def _literals(word: str) -> list[str]:
    """What a name has as it stands, where it has the word."""
    return [part for part in re.split(r"[*?]", word) if part]


def _pattern(part: str) -> re.Pattern[str]:
    """A part of a word with signs for any one character: of one length, so that no name makes it slow."""
    return re.compile("".join("." if char == "?" else re.escape(char) for char in part), re.DOTALL)


def _find(part: str) -> _Find:
    """Where a part of a word ends in a name, looked for from a place on; -1 where it does not stand there."""
    if "?" not in part:
        return lambda name, begin: -1 if (at := name.find(part, begin)) < 0 else at + len(part)
    pattern = _pattern(part)
    return lambda name, begin: -1 if (match := pattern.search(name, begin)) is None else match.end()


def _in_turn(name: str, finds: Iterable[_Find]) -> bool:
    """Whether the parts of a word stand in the name one behind the other: the first place of each will do."""
    at = 0
    for find in finds:
        at = find(name, at)
        if at < 0:
            return False
    return True
