"""A repository of the Hub: its spelling, its addresses, its folder in the local cache."""

import re
from typing import Self
from urllib.parse import quote

import msgspec

from ckptinspect.errors import RefError
from ckptinspect.text import quoted

_NAME = re.compile(r"[A-Za-z0-9_][\w.-]{0,95}(/[A-Za-z0-9_.][\w.-]{0,95})?", re.ASCII)


class Repo(msgspec.Struct, frozen=True, gc=False):
    """``kind`` is models, datasets or spaces; ``name`` is org/name, or one part for the oldest models.

    >>> Repo.named("datasets/org/name").page, Repo.named("gpt2").cache_name
    ('datasets/org/name', 'models--gpt2')
    """

    kind: str
    name: str

    @classmethod
    def named(cls, spelling: str) -> Self:
        """The repository of a spelling, or a RefError."""
        first, _, rest = spelling.partition("/")
        kind, name = (first, rest) if first in {"datasets", "spaces"} and rest else ("models", spelling)
        if not is_repo_name(name):
            raise RefError("this is no repository id", quoted(spelling), "write org/name")
        return cls(kind, name)

    @property
    def page(self) -> str:
        """The path of its page, which is also how it is spelled."""
        return self.name if self.kind == "models" else f"{self.kind}/{self.name}"

    @property
    def cache_name(self) -> str:
        """Its folder in the local Hub cache."""
        return f"{self.kind}--{self.name.replace('/', '--')}"

    def listing_url(self, endpoint: str, revision: str) -> str:
        """Where all its files are listed with sizes and hashes."""
        return f"{endpoint}/api/{self.kind}/{self.name}/revision/{quote(revision, safe='')}?blobs=true"

    def file_url(self, endpoint: str, commit: str, path: str) -> str:
        """Where the Hub tells where a file lies."""
        return f"{endpoint}/{self.page}/resolve/{commit}/{quote(path)}"

    def small_file_url(self, endpoint: str, commit: str, path: str) -> str:
        """Where the Hub redirects to from the address of a small file, which it serves itself."""
        return f"{endpoint}/api/resolve-cache/{self.kind}/{self.name}/{commit}/{quote(path)}"

    def headers_url(self, endpoint: str, index: str) -> str:
        """Where the headers of all shards of an index come in one answer."""
        return f"{endpoint}/api/{self.kind}/{self.name}/safetensors-metadata/{quote(index)}"


def is_repo_name(name: str) -> bool:
    """Whether a name may stand in an address: no step up, nothing that begins a query."""
    return _NAME.fullmatch(name) is not None and ".." not in name
