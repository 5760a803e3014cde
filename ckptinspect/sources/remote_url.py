"""URLs of folders and files: how they are taken apart, and how they are shown."""

from urllib.parse import unquote

from ckptinspect.errors import RefError

WEB = frozenset({"http", "https"})
_FILES = (".safetensors", ".json")


def split_url(url: str) -> tuple[str, str]:
    """The folder's URL and the file's name; the name is empty where the URL is a folder's. A query stays.

    >>> split_url("s3://bucket/llama/model.safetensors"), split_url("https://host/llama/?sig=x")
    (('s3://bucket/llama', 'model.safetensors'), ('https://host/llama?sig=x', ''))
    """
    web = scheme_of(url) in WEB
    address, mark, query = url.partition("?") if web else (url, "", "")
    folder, _, name = address.rpartition("/")
    if name.endswith(_FILES) and "://" in folder:
        return folder + mark + query, unquote(name) if web else name
    return address.rstrip("/") + mark + query, ""


def scheme_of(url: str) -> str:
    """The scheme of a URL that one driver reads; a RefError for a chain of them, or for none."""
    scheme, separator, _ = url.partition("://")
    if not separator or "::" in scheme or ("::" in url and scheme.lower() not in WEB):
        raise RefError("this is no URL of one storage", shown(url), "write scheme://bucket/folder")
    return scheme.lower()


def shown(url: str) -> str:
    """A URL as a message may show it: without user, password and query.

    >>> shown("https://me:secret@host/folder?X-Amz-Signature=abc")
    'https://host/folder'
    """
    scheme, separator, rest = url.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme}{separator}{host.rpartition('@')[2]}{slash}{path}".partition("?")[0]
