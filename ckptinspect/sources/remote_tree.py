"""The folders of a storage, one by one: what lies in each, and which are below it."""

from ckptinspect.errors import CkptInspectError, RefError
from ckptinspect.sources.remote_fsspec import driver_of, failure
from ckptinspect.sources.remote_url import WEB, scheme_of, shown


class RemoteTree:
    """A folder at a URL, to be looked into."""

    def __init__(self, url: str) -> None:
        self._scheme = scheme_of(url)
        if self._scheme in WEB:
            raise RefError("an HTTP server lists no folders", shown(url), "name the checkpoints one by one")
        self._filesystem, self.root = driver_of(url, self._scheme)

    def url(self, folder: str) -> str:
        """The URL of a folder as the driver spells it."""
        return f"{self._scheme}://{folder}"

    def look_into(self, folder: str) -> tuple[list[str], list[str]]:
        """The names of the files in a folder, and the folders below it, both sorted."""
        try:
            entries = self._filesystem.ls(folder, detail=True)
            # A driver would remember every folder of a bucket of millions.
            self._filesystem.invalidate_cache(folder)
        except CkptInspectError:
            raise
        except Exception as error:  # noqa: BLE001 - every driver has its own exceptions
            raise failure(error, shown(self.url(folder))) from None
        files: list[str] = []
        folders: list[str] = []
        for entry in entries:
            path = str(entry["name"]).rstrip("/")
            if path.strip("/") == folder.strip("/"):
                continue
            (folders if entry["type"] == "directory" else files).append(path)
        return sorted(path.rpartition("/")[2] for path in files), sorted(folders)
