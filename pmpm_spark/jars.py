"""Delta's JARs on a single machine: found where Spark keeps what it fetches, else fetched once.

The tested JARs are pinned by hash and fetched here rather than by Spark (Ivy), because that takes a second
instead of half a minute, trusts the certificates of the system (those of a company's proxy too, which the
Java from PyPI does not know) and cannot trip over a half-filled ~/.m2. Other versions, and networks in which
this fails, are left to Spark.

`python -m pmpm_spark.jars` prints the JARs as spark-submit's --jars takes them, for a machine where Spark
cannot fetch.
"""

import contextlib
import hashlib
import http.client
import logging
import os
import pwd
import re
import ssl
import sys
import tempfile
import urllib.request
import zipfile
from collections.abc import Mapping
from pathlib import Path

from pmpm_spark.errors import PmpmError, SetupError
from pmpm_spark.java import cache_dir
from pmpm_spark.properties import DEFAULT_PROPERTIES, find_conf, read_properties

log = logging.getLogger(__name__)

PACKAGES = "spark.jars.packages"
REPOSITORIES = "spark.jars.repositories"
IVY_FOLDER = "spark.jars.ivy"
MIRROR_VARIABLE = "DEFAULT_ARTIFACT_REPOSITORY"
"""What Spark's own fetching asks in the place of Maven Central, where the environment names it."""

# artifact -> SHA-256 of its JAR, for each tested coordinate; what Spark itself brings is not among them
PINNED = {
    "io.delta:delta-spark_4.1_2.13:4.4.0": {
        "delta-spark_4.1_2.13": "75a9400986853c061f5109f012547de2545a5759e5e752e5ef633dabe16a4f10",
        "delta-storage": "c46735481fa8e326b0957be02b4420cbcab4b325bb08009b7f2045a95133f1cc",
        "delta-kernel-api": "ee9b5a14ac3b7efdff4d61a58478fe8eb0e5a3fbca43889dca7290795fe79a11",
        "delta-kernel-defaults": "225c975199e4718b38ee5b7e6da7f19e9585024262b2cec2656b32151a856b0b",
        "delta-kernel-unitycatalog": "cea22dfb4ac562b3cd27bf652697750e8336009d73fb06631363aaaad5345ffa",
    },
}
IVY_CENTRAL = "org/apache/ivy/plugins/resolver/IBiblioResolver.class"
_SYSTEM_CERTIFICATES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Red Hat, Amazon Linux
    "/etc/ssl/ca-bundle.pem",  # SUSE
)


def delta_package(properties: Mapping[str, str]) -> str | None:
    """The coordinate of Delta among the packages that the properties name."""
    packages = properties.get(PACKAGES, "").split(",")
    return next((name.strip() for name in packages if name.strip().startswith("io.delta:delta-spark_")), None)


def delta_jars(properties: Mapping[str, str]) -> tuple[Path, ...]:
    """The JARs of the Delta that the properties name, where they are on this machine and whole; else none."""
    package = delta_package(properties)
    if package is None:
        return ()
    artifact, version = package.split(":")[1:3]
    pinned = PINNED.get(package)
    needed = pinned or {artifact: "", "delta-storage": ""}
    for folder in _jar_folders(properties):
        jars = tuple(folder / f"io.delta_{name}-{version}.jar" for name in needed)
        if all(map(Path.is_file, jars)):
            whole = map(_has_hash, jars, needed.values()) if pinned else map(zipfile.is_zipfile, jars)
            if all(whole):
                return jars
    return ()


def fetch_delta_jars(properties: Mapping[str, str]) -> tuple[Path, ...]:
    """The JARs, fetched if they are pinned and not here yet; none where that cannot be done."""
    jars = delta_jars(properties)
    package = delta_package(properties) or ""
    pinned = PINNED.get(package)
    if jars or not pinned:
        return jars
    log.info("fetching Delta's JARs from Maven Central, 13 MB, this once")
    folder = ivy_folder(properties) / "jars"
    for artifact, sha256 in pinned.items():
        try:
            _fetch(f"{artifact}-{package.rpartition(':')[2]}", sha256, folder, properties)
        except (OSError, SetupError) as error:
            log.info("Delta's JARs were not fetched (%s)", error)
            return ()
    return delta_jars(properties)


def account_home() -> Path:
    """The home that the JVM sees: the account's, whatever HOME says."""
    try:
        return Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:  # a container's user without a name
        return Path("/")


def ivy_folder(properties: Mapping[str, str]) -> Path:
    """Where Spark is to keep what it fetches: as the properties say, else in this user's cache."""
    return Path(properties[IVY_FOLDER]) if IVY_FOLDER in properties else cache_dir() / "ivy"


def _jar_folders(properties: Mapping[str, str]) -> tuple[Path, ...]:
    """Our own folder, then those that Spark 4 and Spark 3 use by themselves."""
    own = ivy_folder(properties)
    homes = dict.fromkeys((account_home(), Path(os.path.expanduser("~"))))  # noqa: PTH111 - it never raises
    return (own / "jars", *(home / ivy / "jars" for home in homes for ivy in (".ivy2.5.2", ".ivy2")))


def _fetch(name: str, sha256: str, folder: Path, properties: Mapping[str, str]) -> None:
    """Bring one JAR (`artifact-version`) from the first repository that has it.

    Raises: SetupError when no repository has it with the pinned hash, OSError when it cannot be written.
    """
    artifact, _, version = name.rpartition("-")
    folder.mkdir(parents=True, exist_ok=True)
    given = [url.strip() for url in properties.get(REPOSITORIES, "").split(",") if url.strip()]
    problem = "no answer"
    for repository in (*given, *_asked_by_spark()):
        url = f"{repository.rstrip('/')}/io/delta/{artifact}/{version}/{name}.jar"
        try:
            with urllib.request.urlopen(url, timeout=30, context=_certificates()) as answer:  # noqa: S310
                content = answer.read()
        except (OSError, http.client.HTTPException, ValueError) as error:
            problem = type(error).__name__  # not its text, which may hold a repository's password
            continue
        if hashlib.sha256(content).hexdigest() != sha256:
            problem = "what came is not the pinned file"
            continue
        handle, unfinished = tempfile.mkstemp(dir=folder)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        Path(unfinished).chmod(0o644)
        Path(unfinished).replace(folder / f"io.delta_{name}.jar")  # at once: another process may look now
        return
    raise SetupError(f"{name}: {problem}")


def _asked_by_spark() -> tuple[str, ...]:
    """The repository that Spark's own fetching would ask: the environment's, else the one that its Ivy has built in."""
    if os.environ.get(MIRROR_VARIABLE):
        return (os.environ[MIRROR_VARIABLE],)
    import pyspark

    for jar in Path(pyspark.__file__).parent.glob("jars/ivy-*.jar"):
        with zipfile.ZipFile(jar) as classes, contextlib.suppress(KeyError):
            built_in = re.search(rb"https://[\w./-]+/maven2/", classes.read(IVY_CENTRAL))
            if built_in:
                return (built_in[0].decode(),)
    return ()


def _certificates() -> ssl.SSLContext:
    """Python's certificates and the system's: a Python may be built for other folders than this system's."""
    context = ssl.create_default_context()
    for file in _SYSTEM_CERTIFICATES:
        with contextlib.suppress(OSError):
            context.load_verify_locations(cafile=file)
    return context


def _has_hash(file: Path, sha256: str) -> bool:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest() == sha256


def _main() -> None:
    try:
        jars = fetch_delta_jars(read_properties(find_conf(DEFAULT_PROPERTIES)))
    except PmpmError as error:
        sys.exit(f"error: {error}")
    if not jars:
        sys.exit("error: Delta's JARs cannot be fetched: see `pmpm doctor`")
    print(",".join(map(str, jars)))


if __name__ == "__main__":
    _main()
