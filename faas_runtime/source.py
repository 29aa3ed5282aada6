"""The function's files on disk, and an import system that sees them first."""

from __future__ import annotations

import importlib
import os
import site
import sys
from pathlib import Path

import msgspec

from faas_runtime.errors import StartupError
from faas_runtime.settings import Settings

# What this package has loaded for itself. A function's own copy replaces it for the function's code; the runtime goes
# on with the one it holds.
PRIVATE = ("msgspec", "httptools", "uvloop")


class Source(msgspec.Struct, frozen=True):
    """Folders of a function: its code, and its requirements if it has any. ``code`` is None when the image itself
    holds the function: the import system is then left as it is."""

    code: Path | None
    packages: Path | None = None


def place_source(settings: Settings, workspace: Path) -> Source:
    """The files of the function, written to ``workspace`` or found in the cache. Raises StartupError."""
    if settings.inline is not None:
        return Source(_write_inline(settings.inline, _own(workspace) / "code"))
    if settings.archive is not None:
        from faas_runtime.archive import install_archive  # few functions need what it imports

        root = install_archive(settings.archive, Path(settings.cache_dir) if settings.cache_dir else _own(workspace))
        packages = root / "packages"
        return Source(root / "code", packages if packages.is_dir() else None)
    return Source(None)


def activate(source: Source) -> None:
    """Make ``import`` find the function's code, then its requirements, then the standard library, and nothing else.

    The platform's own environment is taken off the path: a function's package called ``services`` or ``yaml`` must not
    meet ours, and what happens to be installed beside the platform on one machine must not be missing on a cluster.
    """
    if source.code is None:
        sys.path.insert(0, os.getcwd())
        return
    _warn_of_hidden_modules(source.code)
    standard_library = os.path.dirname(os.__file__)
    allowed = (standard_library, os.path.join(standard_library, "lib-dynload"))
    rest = [entry for entry in sys.path if entry in allowed or entry.endswith(".zip")]
    sys.meta_path[:] = [finder for finder in sys.meta_path if _is_standard(finder)]  # editable installs add their own
    sys.path[:] = [str(source.code), *rest]
    if source.packages is not None:
        site.addsitedir(str(source.packages))  # appends; reads .pth files as a site-packages folder needs
        added = [entry for entry in sys.path if entry not in rest and entry != str(source.code)]
        sys.path[:] = [str(source.code), *added, *rest]
    provided = _names(source.code) | (_names(source.packages) if source.packages is not None else set())
    for name in provided.intersection(PRIVATE):
        _forget(name)
    importlib.invalidate_caches()
    os.chdir(source.code)


def _own(workspace: Path) -> Path:
    try:
        workspace.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise StartupError(f"TMPDIR {workspace.parent} cannot be written: {error.strerror}") from None
    return workspace


def _write_inline(files: dict[str, str], code: Path) -> Path:
    if code.is_dir():  # written by the worker before this one
        return code
    sys.dont_write_bytecode = True  # compiled once a start: writing it down costs more than it saves
    staging = code.with_name(f"code-{os.getpid()}")  # a worker killed half way must not leave half of the files
    staging.mkdir()
    for name, text in files.items():
        folder, _, file_name = name.rpartition("/")
        if not file_name or "\0" in name or any(part in ("", ".", "..") for part in name.split("/")):
            raise StartupError(f"FAAS_SOURCE_INLINE: {name!r} is no path inside the function's folder")
        try:
            if folder:
                os.makedirs(staging / folder, exist_ok=True)
            with open(f"{staging}/{name}", "xb") as file:
                file.write(text.encode())
        except (OSError, UnicodeEncodeError) as error:
            raise StartupError(f"FAAS_SOURCE_INLINE: cannot write {name!r}: {error}") from None
    staging.rename(code)
    return code


def _warn_of_hidden_modules(code: Path) -> None:
    """A module named like a standard one may be silently passed over; say so."""
    for name in sorted(_names(code) & (sys.stdlib_module_names | {"faas_runtime"})):
        print(f"faas: the function's {name!r} has the name of a module of Python or of the runtime", file=sys.stderr)


def _names(folder: Path) -> set[str]:
    """The modules and packages at the top of a folder."""
    names = set()
    with os.scandir(folder) as entries:
        for entry in entries:
            stem, _, suffix = entry.name.partition(".")
            if suffix == "py" or (suffix.endswith("so") and suffix) or (not suffix and entry.is_dir()):
                names.add(stem)
    return names


def _forget(name: str) -> None:
    for loaded in [key for key in sys.modules if key == name or key.startswith(f"{name}.")]:
        del sys.modules[loaded]


def _is_standard(finder: object) -> bool:
    return getattr(finder, "__module__", "").startswith(("_frozen_importlib", "importlib."))
