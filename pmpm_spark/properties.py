"""The files of conf/, and the Spark properties in them."""

import re
from pathlib import Path

from pmpm_spark.errors import SetupError

DEFAULT_PROPERTIES = "spark/local.conf"


def find_conf(name: str) -> Path:
    """A file of conf/, such as `spark/local.conf`: the installed package's, else the repository's.

    Raises: SetupError when there is none.
    """
    package = Path(__file__).resolve().parent
    for folder in (package / "conf", package.parent / "conf"):
        if (folder / name).is_file():
            return folder / name
    raise SetupError(f"conf/{name} is neither in the repository nor in the package: install it again")


def read_properties(path: Path) -> dict[str, str]:
    """The properties of a file as spark-submit reads it: `key value` or `key=value`, # starts a comment line.

    Raises: SetupError when the file cannot be read, or a line has a key only.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        reason = getattr(error, "strerror", None) or "it is not UTF-8 text"
        raise SetupError(f"{path}: the file of Spark properties cannot be read ({reason})") from None
    properties = {}
    for number, line in enumerate(map(str.strip, lines), start=1):
        if not line or line[0] in "#!":
            continue
        parts = re.fullmatch(r"([^\s=:]+)(?:\s*[=:]\s*|\s+)(\S.*)", line)
        if not parts:
            raise SetupError(f"{path}: line {number} is not `key value`")
        properties[parts[1]] = parts[2]
    return properties
