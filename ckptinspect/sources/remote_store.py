"""What a RemoteSource needs of the driver that reaches its storage."""

from abc import ABC, abstractmethod
from collections.abc import Iterable

from ckptinspect.sources.base import File


class Store(ABC):
    """One folder of one storage. Whatever goes wrong is one of our errors, in one sentence."""

    @abstractmethod
    async def files(self) -> Iterable[File]:
        """The files below the folder; NotFoundError where it does not exist."""

    @abstractmethod
    async def size(self, path: str) -> int:
        """A file's size in bytes; NotFoundError where there is no such file."""

    @abstractmethod
    async def read(self, path: str, begin: int, end: int) -> bytes:
        """The bytes ``begin`` to ``end``, or fewer at the file's end, at the price of these bytes."""

    async def close(self) -> None:
        """Give back connections and threads."""
        return
