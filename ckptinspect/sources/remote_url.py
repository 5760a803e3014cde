"""URLs of folders and files: how they are taken apart, and how they are shown."""

from urllib.parse import SplitResult, unquote, urlsplit

from ckptinspect.config import without_config
from ckptinspect.errors import RefError
from ckptinspect.text import quoted

WEB = frozenset({"http", "https"})
_FILES = (".safetensors", ".json")


def parts_of(url: str, *, hosted: bool = True) -> SplitResult:
    """The parts of a URL; a RefError where its host or its port cannot be one, or ``hosted`` and it has no host."""
    try:
        parts = urlsplit(url)
        # To ask for the port is what checks it.
        if parts.port != 0 and (parts.hostname or not hosted):
            return parts
    except ValueError:
        pass
    raise RefError("this is no valid URL", quoted(shown(url)), "check its host and its port")


def split_url(url: str) -> tuple[str, str]:
    """The folder's URL and the file's name; the name is empty where the URL is a folder's. A query stays.

    A config stands for the folder that it lies in.

    >>> split_url("s3://bucket/llama/model.safetensors"), split_url("https://host/llama/config.json?sig=x")
    (('s3://bucket/llama', 'model.safetensors'), ('https://host/llama?sig=x', ''))
    """
    scheme = scheme_of(url)
    web = scheme in WEB
    address, mark, query = url.partition("?") if web else (url, "", "")
    folder, _, name = address.rpartition("/")
    if name.endswith(_FILES) and "://" in folder:
        return folder + mark + query, without_config(unquote(name) if web else name)
    return address.rstrip("/") + mark + query, ""


def scheme_of(url: str) -> str:
    """The scheme of a URL that one driver reads; a RefError for a chain of them, or for none."""
    scheme, separator, rest = url.partition("://")
    if (
        not separator
        or not scheme
        or not rest.strip("/")
        or "::" in scheme
        or ("::" in url and scheme.lower() not in WEB)
    ):
        raise RefError("this is no URL of one storage", shown(url), "write scheme://bucket/folder")
    return scheme.lower()


def shown(url: str) -> str:
    """A URL as a message may show it: without user, password and query.

    >>> shown("https://me:secret@host/folder?X-Amz-Signature=abc")
    'https://host/folder'
    """
    scheme, separator, rest = url.partition("?")[0].partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}"
