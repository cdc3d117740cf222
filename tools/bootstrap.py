"""Makes ``.venv`` ready: the standard library is enough to run this, and nothing needs root.

::

    python3 tools/bootstrap.py          what runs the plant
    python3 tools/bootstrap.py --dev    and what tests and checks it

It does nothing when the lock files, ``pyproject.toml`` and Python are those of last time. Packages come from the
index that pip's own configuration names, with the hashes of the lock file.
"""

import sys

NEEDED = (3, 11)

if sys.version_info < NEEDED:
    import os
    import shutil

    for _minor in (14, 13, 12, 11):
        _found = shutil.which("python3.%d" % _minor)  # noqa: UP031 - an older Python must be able to read this
        if _found:
            os.execv(_found, [_found] + sys.argv)  # noqa: RUF005
    sys.exit(
        "Yuheng needs Python 3.11 or newer; this is %d.%d. "  # noqa: UP031
        "Install it, or name it: make setup PYTHON=/path/to/python3.11" % sys.version_info[:2]
    )

import argparse
import configparser
import hashlib
import html.parser
import os
import re
import shutil
import ssl
import subprocess
import tempfile
import urllib.parse
import urllib.request
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMP = VENV / ".yuheng-setup"
WARM = VENV / ".yuheng-warm"
ENGINE = ROOT / "src" / "yuheng" / "engines" / "schedule"
DEFAULT_INDEX = "https://pypi.org/simple"  # pip's own default


def main() -> int:
    """Make the environment ready; return 0 or a sentence on the error output and 1."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dev", action="store_true", help="also what tests and checks it")
    parser.add_argument("--later", action="store_true", help="compile the scheduling engine in the background")
    parser.add_argument("--warm", action="store_true", help="only compile the scheduling engine")
    args = parser.parse_args()
    is_dev = args.dev
    if args.warm:
        warm_engine()
        return 0
    try:
        if not is_ready(is_dev):
            set_up(is_dev)
        compile_messages()
        if args.later:
            warm_engine_later()
        else:
            warm_engine()
    except subprocess.CalledProcessError as error:
        sys.stderr.write(f"\nSetting up .venv failed at: {' '.join(map(str, error.cmd))}\n")
        return 1
    except (OSError, LookupError) as error:
        sys.stderr.write(f"\nSetting up .venv failed: {error}\n")
        return 1
    return 0


def lock_file(is_dev: bool) -> Path:
    """Return the lock file to install; the one for development holds the other one's packages too."""
    return ROOT / ("requirements-dev.lock" if is_dev else "requirements.lock")


def fingerprint(is_dev: bool) -> str:
    """Name the state that an environment was made for."""
    digest = hashlib.sha256(repr((sys.version_info[:2], str(ROOT))).encode())
    for path in (lock_file(is_dev), ROOT / "pyproject.toml", ROOT / "hatch_build.py"):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def is_ready(is_dev: bool) -> bool:
    """Return whether the environment is the one wanted; the development one serves for running too."""
    if not PYTHON.exists() or not STAMP.exists():
        return False
    stamped = STAMP.read_text(encoding="utf-8").split()
    wanted = {fingerprint(True)} if is_dev else {fingerprint(False), fingerprint(True)}
    return bool(wanted & set(stamped))


def set_up(is_dev: bool) -> None:
    """Create the environment and install into it."""
    STAMP.unlink(missing_ok=True)
    if not runs():
        create()
    pip = [str(PYTHON), "-m", "pip", "--disable-pip-version-check"]
    say(f"Installing {lock_file(is_dev).name} into .venv (a few minutes the first time) ...")
    run([*pip, "install", "-qq", "--require-hashes", "-r", str(lock_file(is_dev))])
    run([*pip, "install", "-qq", "--no-deps", "--no-build-isolation", "-e", str(ROOT)])
    STAMP.write_text("\n".join({fingerprint(False), fingerprint(is_dev)}) + "\n", encoding="utf-8")
    say("Ready.")


def runs() -> bool:
    """Return whether ``.venv`` holds a Python of this version with pip; a moved or half-made one does not."""
    if not PYTHON.exists():
        return False
    test = "import pip, sys; sys.exit(sys.version_info[:2] != (%d, %d))" % sys.version_info[:2]  # noqa: UP031
    return subprocess.run([str(PYTHON), "-c", test], capture_output=True, check=False).returncode == 0


def create() -> None:
    """Make the environment; without ``ensurepip`` (bare Debian) pip is fetched as its wheel."""
    say("Creating .venv ...")
    try:
        import ensurepip  # noqa: F401, PLC0415 - asked for: Debian leaves it out without python3-venv

        has_ensurepip = True
    except ImportError:
        has_ensurepip = False
    venv.EnvBuilder(clear=True, symlinks=True, with_pip=has_ensurepip).create(VENV)
    if not has_ensurepip:
        with tempfile.TemporaryDirectory() as folder:
            wheel = fetch_pip(Path(folder))
            # A wheel is a zip file, and Python runs a package inside one.
            run([str(PYTHON), f"{wheel}/pip", "install", "-q", "--no-index", str(wheel)])


def compile_messages() -> None:
    """Compile the catalogues that changed, with the environment's Babel."""
    sources = list((ROOT / "src").rglob("locale/*/LC_MESSAGES/*.po"))
    stale = [po for po in sources if not is_newer(po.with_suffix(".mo"), po)]
    if stale:
        run([str(PYTHON), str(ROOT / "tools" / "compile_messages.py")])


def is_warm() -> bool:
    """Return whether the scheduling engine was compiled since its sources changed."""
    return all(is_newer(WARM, source) for source in ENGINE.rglob("*.py") if "tests" not in source.parts)


def warm_engine_later() -> None:
    """Compile the scheduling engine behind what starts now: nobody who wants to see a plant waits for it."""
    if is_warm():
        return
    say("The scheduling engine is being compiled in the background (about half a minute, once).")
    command = [str(PYTHON), __file__, "--warm"]
    if nice := shutil.which("nice"):
        command = [nice, "-n", "15", *command]
    subprocess.Popen(  # it outlives this process
        command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )


def warm_engine() -> None:
    """Compile the scheduling engine's kernels when its sources changed, so that nobody waits for it later."""
    if is_warm():
        return
    say("Compiling the scheduling engine (about half a minute, once) ...")
    # Not check=True: a plant runs without it, and the first plan compiles what is missing.
    done = subprocess.run([str(PYTHON), "-m", "yuheng.config.cli", "schedule", "warm", "--fresh"], check=False)
    if done.returncode == 0:
        WARM.touch()


def is_newer(path: Path, than: Path) -> bool:
    """Return whether a compiled file is at least as new as its source."""
    return path.exists() and path.stat().st_mtime >= than.stat().st_mtime


# ---- pip without ensurepip ------------------------------------------------------------------------------------


class Page(html.parser.HTMLParser):
    """The links of one page of a package index (PEP 503): (address, needed Python, is it yanked)."""

    def __init__(self) -> None:
        super().__init__()
        self.links: list[tuple[str, str, bool]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect one link."""
        known = dict(attrs)
        if tag == "a" and known.get("href"):
            self.links.append((known["href"] or "", known.get("data-requires-python") or "", "data-yanked" in known))


def fetch_pip(folder: Path) -> Path:
    """Fetch the newest pip wheel that suits this Python, and check its hash.

    Raises
    ------
    LookupError
        The index offers none with a hash, or the file does not have it.
    """
    settings = pip_settings()
    address = settings.get("index-url", DEFAULT_INDEX).rstrip("/") + "/pip/"
    context = ssl.create_default_context(cafile=settings.get("cert"))
    say("Fetching pip, because this Python has no ensurepip ...")
    page = Page()
    page.feed(read(address, context).decode("utf-8", "replace"))
    best = max(candidates(page.links), default=None)
    if best is None:
        raise LookupError("the package index offers no pip for this Python; install the package python3-venv")
    _, link = best
    whole, _, expected = urllib.parse.urljoin(address, link).partition("#sha256=")
    data = read(whole, context)
    if hashlib.sha256(data).hexdigest() != expected:
        raise LookupError("the pip that was fetched does not have the hash that the index names")
    wheel = folder / urllib.parse.unquote(whole.rsplit("/", 1)[1])
    wheel.write_bytes(data)
    return wheel


def candidates(links: list[tuple[str, str, bool]]) -> list[tuple[tuple[int, ...], str]]:
    """Return (version, link) of the final wheels that suit this Python and name their hash."""
    found = []
    for link, needs, is_yanked in links:
        named = re.search(r"(?:^|/)pip-(\d+(?:\.\d+)*)-py3-none-any\.whl#sha256=[0-9a-f]{64}", link)
        minimum = re.search(r">=\s*3\.(\d+)", needs)
        if named and not is_yanked and (minimum is None or int(minimum[1]) <= sys.version_info[1]):
            found.append((tuple(int(part) for part in named[1].split(".")), link))
    return found


def pip_settings() -> dict[str, str]:
    """Read index and certificate where pip reads them: its files, then its environment variables."""
    home = Path.home()
    files = [Path("/etc/pip.conf"), home / ".pip" / "pip.conf", home / ".config" / "pip" / "pip.conf"]
    if named := os.environ.get("PIP_CONFIG_FILE"):
        files.append(Path(named))
    parser = configparser.RawConfigParser()
    parser.read([file for file in files if file.is_file()], encoding="utf-8")
    settings: dict[str, str] = {}
    for section in ("global", "install"):
        if parser.has_section(section):
            settings |= {key.replace("_", "-"): value.strip() for key, value in parser.items(section)}
    for key in ("index-url", "cert"):
        if value := os.environ.get("PIP_" + key.upper().replace("-", "_")):
            settings[key] = value
    return settings


def read(address: str, context: ssl.SSLContext) -> bytes:
    """Fetch an address; a user name and password in it become a header, as pip does."""
    parts = urllib.parse.urlsplit(address)
    request = urllib.request.Request(urllib.parse.urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2])))
    if parts.username:
        manager = urllib.request.HTTPPasswordMgrWithPriorAuth()
        user, password = urllib.parse.unquote(parts.username), urllib.parse.unquote(parts.password or "")
        manager.add_password(None, request.full_url, user, password, is_authenticated=True)
        handlers = [urllib.request.HTTPBasicAuthHandler(manager)]
    else:
        handlers = []
    opener = urllib.request.build_opener(urllib.request.HTTPSHandler(context=context), *handlers)
    with opener.open(request, timeout=60) as answer:
        return answer.read()


def run(command: list[str]) -> None:
    """Run and show; stop at the first failure."""
    subprocess.run(command, check=True, cwd=ROOT)


def say(line: str) -> None:
    """Print one line at once."""
    print(line, flush=True)


if __name__ == "__main__":
    sys.exit(main())
