"""Patterns of a config, matched in time that grows with the name's length only.

A config that nobody vouches for must not run regular expressions: ``(a+)+$`` takes Python's ``re`` for ever. What
writers really use (literals, ``.*``, classes, groups, alternatives, anchors) is compiled here to a set of states
that all advance together, one character at a time. Anything else is not understood, and said to be so.
"""

from collections.abc import Iterator

import msgspec

MAX_LENGTH = 1_000
_MAX_STATES = 20_000
_MAX_TIMES = 32
_MAX_DEPTH = 20
_END = "$"
_SPLIT = "|"
_CHARACTER = "c"
_CLASSES = {"d": "0123456789", "s": " \t\n\r\f\v"}
_WORD = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_"


class NotUnderstoodError(ValueError):
    """A pattern with something in it that is not followed here."""


class _Characters(msgspec.Struct, frozen=True):
    """Which characters fit: those listed, or (``others``) all but those."""

    listed: frozenset[str] = frozenset()
    others: bool = False

    def fit(self, character: str) -> bool:
        return (character in self.listed) != self.others


_ANY = _Characters(frozenset("\n"), others=True)


class _Part(msgspec.Struct, frozen=True):
    """A node of a parsed pattern: characters, a sequence, a choice, a repetition, or the end of the name."""

    kind: str
    characters: _Characters = _Characters()
    parts: "tuple[_Part, ...]" = ()
    least: int = 0
    most: int | None = None


class _State(msgspec.Struct):
    kind: str
    characters: _Characters
    following: list[int]


class Pattern:
    r"""A pattern that names are matched with from their beginning, as ``re.match`` does.

    Raises NotUnderstoodError for what is not followed here.

    >>> pattern = Pattern(r"model\.layers\.\d+\.mlp\.(gate|up)_proj$")
    >>> pattern.matches("model.layers.31.mlp.up_proj"), pattern.matches("model.layers.x.mlp.up_proj")
    (True, False)
    """

    def __init__(self, text: str) -> None:
        if len(text) > MAX_LENGTH:
            raise NotUnderstoodError(text)
        self._states: list[_State] = []
        self._last = self._add("")
        self._first = self._compiled(_Parser(text).pattern(), self._last)

    def matches(self, name: str) -> bool:
        """Whether the pattern fits the name or its beginning."""
        current = self._closed({self._first}, at_end=not name)
        for at, character in enumerate(name, start=1):
            if self._last in current or not current:
                break
            reached = {
                following
                for number in current
                if (state := self._states[number]).kind == _CHARACTER and state.characters.fit(character)
                for following in state.following
            }
            current = self._closed(reached, at_end=at == len(name))
        return self._last in current

    def _closed(self, numbers: set[int], *, at_end: bool) -> set[int]:
        """All states to be in without reading a character."""
        found, todo = set(numbers), list(numbers)
        while todo:
            state = self._states[todo.pop()]
            if state.kind == _SPLIT or (state.kind == _END and at_end):
                new = [number for number in state.following if number not in found]
                found.update(new)
                todo += new
        return found

    def _add(self, kind: str, *following: int, characters: _Characters = _ANY) -> int:
        if len(self._states) >= _MAX_STATES:
            raise NotUnderstoodError("too long")
        self._states.append(_State(kind, characters, list(following)))
        return len(self._states) - 1

    def _compiled(self, part: _Part, after: int) -> int:
        """The first state of a part that goes on to the state ``after``."""
        if part.kind == _CHARACTER:
            return self._add(_CHARACTER, after, characters=part.characters)
        if part.kind == _END:
            return self._add(_END, after)
        if part.kind == _SPLIT:
            return self._add(_SPLIT, *(self._compiled(choice, after) for choice in part.parts))
        if part.kind == "repeat":
            return self._repeated(part, after)
        for inner in reversed(part.parts):
            after = self._compiled(inner, after)
        return after

    def _repeated(self, part: _Part, after: int) -> int:
        (inner,) = part.parts
        if part.most is None:
            again = self._add(_SPLIT, after)
            self._states[again].following.append(self._compiled(inner, again))
            after = again
        else:
            rest = after
            for _ in range(part.most - part.least):
                after = self._add(_SPLIT, rest, self._compiled(inner, after))
        for _ in range(part.least):
            after = self._compiled(inner, after)
        return after


class _Parser:
    """A pattern's text, read from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def pattern(self) -> _Part:
        part = self._choice(0)
        if self._at < len(self._text):
            raise NotUnderstoodError(self._text)
        return part

    def _choice(self, depth: int) -> _Part:
        if depth > _MAX_DEPTH:
            raise NotUnderstoodError(self._text)
        choices = [self._sequence(depth)]
        while self._take("|"):
            choices.append(self._sequence(depth))
        return choices[0] if len(choices) == 1 else _Part(_SPLIT, parts=tuple(choices))

    def _sequence(self, depth: int) -> _Part:
        return _Part("sequence", parts=tuple(self._items(depth)))

    def _items(self, depth: int) -> Iterator[_Part]:
        if not depth:
            self._take("^")
        while (character := self._peek()) and character not in "|)":
            yield self._times(self._atom(depth))

    def _atom(self, depth: int) -> _Part:
        character = self._next()
        if character == "(":
            if self._take("?") and not self._take(":"):
                raise NotUnderstoodError(self._text)
            part = self._choice(depth + 1)
            if not self._take(")"):
                raise NotUnderstoodError(self._text)
            return part
        if character == "$":
            return _Part(_END)
        if character == "[":
            return _Part(_CHARACTER, self._class())
        if character == "\\":
            return _Part(_CHARACTER, self._escaped())
        if character in "*+?{}^":
            raise NotUnderstoodError(self._text)
        return _Part(_CHARACTER, _ANY if character == "." else _Characters(frozenset(character)))

    def _escaped(self) -> _Characters:
        character = self._next()
        if character == "w":
            return _Characters(frozenset(_WORD))
        if character in _CLASSES:
            return _Characters(frozenset(_CLASSES[character]))
        if character.isalnum():
            raise NotUnderstoodError(self._text)
        return _Characters(frozenset(character))

    def _class(self) -> _Characters:
        others = self._take("^")
        listed: set[str] = set()
        while not (listed and self._take("]")):
            character = self._next()
            if character in "[]":
                # A bracket that comes first is itself, and one inside may mean more some day.
                raise NotUnderstoodError(self._text)
            if character == "\\":
                listed |= self._escaped().listed
            elif self._peek() == "-" and self._text[self._at + 1 : self._at + 2] not in {"]", ""}:
                self._next()
                last = self._next()
                if not (character.isascii() and last.isascii() and character <= last) or last == "\\":
                    raise NotUnderstoodError(self._text)
                listed.update(map(chr, range(ord(character), ord(last) + 1)))
            else:
                listed.add(character)
        return _Characters(frozenset(listed), others)

    def _times(self, part: _Part) -> _Part:
        if self._take("*"):
            least, most = 0, None
        elif self._take("+"):
            least, most = 1, None
        elif self._take("?"):
            least, most = 0, 1
        elif self._take("{"):
            least, most = self._bounds()
        else:
            return part
        if part.kind == _END or (self._peek() or " ") in "*+{":
            raise NotUnderstoodError(self._text)
        # Whether as much or as little as possible makes no difference to whether it fits.
        self._take("?")
        return _Part("repeat", parts=(part,), least=least, most=most)

    def _bounds(self) -> tuple[int, int | None]:
        text, closed, _ = self._text[self._at :].partition("}")
        least, comma, most = text.partition(",")
        if not closed or not all(word.isascii() and word.isdigit() and len(word) < 3 for word in (least, most or "0")):
            raise NotUnderstoodError(self._text)
        self._at += len(text) + 1
        upper = int(most) if most else None if comma else int(least)
        if int(least) > _MAX_TIMES or (upper is not None and not int(least) <= upper <= _MAX_TIMES):
            raise NotUnderstoodError(self._text)
        return int(least), upper

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self, character: str) -> bool:
        taken = self._peek() == character
        self._at += taken
        return taken

    def _next(self) -> str:
        character = self._peek()
        if not character:
            raise NotUnderstoodError(self._text)
        self._at += 1
        return character
