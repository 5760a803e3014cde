"""Patterns of a config, matched all together, in work that one budget bounds.

A config that nobody vouches for must not run regular expressions: ``(a+)+$`` takes Python's ``re`` for ever. What
writers really use (literals, ``.*``, classes, groups, alternatives, anchors) is parsed here and compiled to the
states of one automaton for all patterns of a list. A name goes through it one character at a time; where it went
once, it goes again for a look-up. Anything else is not understood, and said to be so.
"""

from collections.abc import Callable, Iterator, Mapping

import msgspec

from ckptinspect.quant.budget import Budget

MAX_LENGTH = 1_000
_MAX_STATES = 2_000
_MAX_TIMES = 32
_MAX_DEPTH = 20
_PARSING = 4
_LOOKING_UP = 8
_END = "$"
_SPLIT = "|"
_CHARACTER = "c"
_SEQUENCE = "sequence"
_REPEAT = "repeat"
_LAST = "last"
_ANYWHERE = 0
# As ``re`` has them for text that is not ASCII alone.
_CLASSES: Mapping[str, Callable[[str], bool]] = {
    "d": str.isdecimal,
    "s": str.isspace,
    "w": lambda character: character.isalnum() or character == "_",
}


class NotUnderstoodError(ValueError):
    """A pattern with something in it that is not followed here."""


class _Characters(msgspec.Struct, frozen=True):
    """Which characters fit: those listed and those of the classes, or (``others``) all but those."""

    listed: frozenset[str] = frozenset()
    classes: frozenset[str] = frozenset()
    others: bool = False

    def fit(self, character: str) -> bool:
        named = character in self.listed or any(_CLASSES[name](character) for name in self.classes)
        return named != self.others


_ANY = _Characters(frozenset("\n"), others=True)


class _Part(msgspec.Struct, frozen=True):
    """A node of a parsed pattern: characters, a sequence, a choice, a repetition, or the end of the name."""

    kind: str
    characters: _Characters = _Characters()
    parts: "tuple[_Part, ...]" = ()
    least: int = 0
    most: int | None = None


_ANYTHING = _Part(_REPEAT, parts=(_Part(_CHARACTER, _ANY),))


class _State(msgspec.Struct):
    kind: str
    following: list[int]
    characters: _Characters = _ANY
    label: int = -1


_States = frozenset[int]


class Patterns:
    r"""Patterns that names are matched with from their beginning, as ``re.match`` does, each with a number.

    >>> patterns = Patterns(Budget())
    >>> patterns.add(r"model\.layers\.\d+\.mlp\.(gate|up)_proj$", 7)
    >>> patterns.fitting("model.layers.31.mlp.up_proj"), patterns.fitting("model.layers.x.mlp.up_proj")
    (frozenset({7}), frozenset())
    """

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        # The first state is that of a ``.*`` which all patterns share that begin so.
        self._states = [_State(_SPLIT, [1]), _State(_CHARACTER, [_ANYWHERE])]
        self._firsts: set[int] = set()
        self._begin: _States | None = None
        self._here: dict[int, _States] = {}
        self._moves: dict[tuple[_States, str], _States] = {}
        self._labels: dict[_States, frozenset[int]] = {}
        self._ends: dict[_States, frozenset[int]] = {}
        self._same: dict[_States, _States] = {}

    def __bool__(self) -> bool:
        return bool(self._firsts)

    def add(self, text: str, label: int) -> None:
        """Take a pattern, before the first name. Raises SpentError; NotUnderstoodError for what is not followed."""
        if len(text) > MAX_LENGTH:
            raise NotUnderstoodError(text)
        self._budget.spend(_PARSING * len(text))
        part = _Parser(text).pattern()
        anywhere = part.parts[:1] == (_ANYTHING,) and part.kind == _SEQUENCE
        if anywhere:
            part = _Part(_SEQUENCE, parts=part.parts[1:])
        begin = len(self._states)
        try:
            first = self._compiled(part, self._add(_State(_LAST, [], label=label), begin), begin)
        except NotUnderstoodError:
            del self._states[begin:]
            raise
        if anywhere:
            self._states[_ANYWHERE].following.append(first)
        self._firsts.add(_ANYWHERE if anywhere else first)

    def fitting(self, name: str) -> frozenset[int]:
        """The numbers of the patterns that fit the name or its beginning. Raises SpentError."""
        self._budget.spend(1 + len(name) // _LOOKING_UP)
        if self._begin is None:
            self._begin = self._union(self._firsts)
        current = self._begin
        found = self._said(current)
        for character in name:
            following = self._moves.get((current, character))
            current = self._moved(current, character) if following is None else following
            if not current:
                return found
            found |= self._said(current)
        return found | self._at_end(current)

    def _moved(self, current: _States, character: str) -> _States:
        """Where a character leads, noted for the next time."""
        self._budget.spend(len(current))
        states = (self._states[number] for number in current)
        reached = {
            following
            for state in states
            if state.kind == _CHARACTER and state.characters.fit(character)
            for following in state.following
        }
        self._moves[current, character] = found = self._union(reached)
        return found

    def _union(self, numbers: set[int]) -> _States:
        """All states that wait for something, where these are reached."""
        found: set[int] = set()
        for number in numbers:
            found |= self._waiting(number)
        self._budget.spend(len(found) // _LOOKING_UP)
        states = frozenset(found)
        return self._same.setdefault(states, states)

    def _waiting(self, number: int) -> _States:
        """The states that wait for a character or an end, or are the last, where this one is reached."""
        if number not in self._here:
            self._here[number] = self._closed({number}, at_end=False)
        return self._here[number]

    def _closed(self, numbers: set[int] | _States, *, at_end: bool) -> _States:
        """The states to be in without reading a character, without those that only lead on."""
        found, todo = set(numbers), list(numbers)
        while todo:
            state = self._states[todo.pop()]
            if state.kind == _SPLIT or (state.kind == _END and at_end):
                new = [number for number in state.following if number not in found]
                found.update(new)
                todo += new
        self._budget.spend(len(found))
        return frozenset(number for number in found if self._states[number].kind != _SPLIT)

    def _said(self, current: _States) -> frozenset[int]:
        """The numbers of the patterns that end here."""
        if current not in self._labels:
            self._labels[current] = frozenset(
                state.label for number in current if (state := self._states[number]).kind == _LAST
            )
        return self._labels[current]

    def _at_end(self, current: _States) -> frozenset[int]:
        if current not in self._ends:
            self._ends[current] = self._said(self._closed(current, at_end=True))
        return self._ends[current]

    def _add(self, state: _State, begin: int) -> int:
        if len(self._states) - begin >= _MAX_STATES:
            raise NotUnderstoodError("too long")
        self._budget.spend(1)
        self._states.append(state)
        return len(self._states) - 1

    def _compiled(self, part: _Part, after: int, begin: int) -> int:
        """The first state of a part that goes on to the state ``after``; the pattern's states begin at ``begin``."""
        if part.kind == _CHARACTER:
            return self._add(_State(_CHARACTER, [after], part.characters), begin)
        if part.kind == _END:
            return self._add(_State(_END, [after]), begin)
        if part.kind == _SPLIT:
            return self._add(_State(_SPLIT, [self._compiled(choice, after, begin) for choice in part.parts]), begin)
        if part.kind == _REPEAT:
            return self._repeated(part, after, begin)
        for inner in reversed(part.parts):
            after = self._compiled(inner, after, begin)
        return after

    def _repeated(self, part: _Part, after: int, begin: int) -> int:
        (inner,) = part.parts
        if part.most is None:
            again = self._add(_State(_SPLIT, [after]), begin)
            self._states[again].following.append(self._compiled(inner, again, begin))
            after = again
        else:
            rest = after
            for _ in range(part.most - part.least):
                after = self._add(_State(_SPLIT, [rest, self._compiled(inner, after, begin)]), begin)
        for _ in range(part.least):
            after = self._compiled(inner, after, begin)
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
        return _Part(_SEQUENCE, parts=tuple(self._items(depth)))

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
        if character in _CLASSES:
            return _Characters(classes=frozenset(character))
        if character.isalnum():
            raise NotUnderstoodError(self._text)
        return _Characters(frozenset(character))

    def _class(self) -> _Characters:
        others = self._take("^")
        listed: set[str] = set()
        classes: frozenset[str] = frozenset()
        while not ((listed or classes) and self._take("]")):
            character = self._next()
            if character in "[]":
                # A bracket that comes first is itself, and one inside may mean more some day.
                raise NotUnderstoodError(self._text)
            if character == "\\":
                escaped = self._escaped()
                listed, classes = listed | escaped.listed, classes | escaped.classes
                if self._peek() == "-" and self._text[self._at + 1 : self._at + 2] != "]":
                    raise NotUnderstoodError(self._text)
            elif self._peek() == "-" and self._text[self._at + 1 : self._at + 2] not in {"]", ""}:
                self._next()
                last = self._next()
                if not (character.isascii() and last.isascii() and character <= last) or last == "\\":
                    raise NotUnderstoodError(self._text)
                listed.update(map(chr, range(ord(character), ord(last) + 1)))
            else:
                listed.add(character)
        return _Characters(frozenset(listed), classes, others)

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
        return _Part(_REPEAT, parts=(part,), least=least, most=most)

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
