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
        return Source(_write_inline(settings.inline, workspace / "code"))
    if settings.archive is not None:
        from faas_runtime.archive import install_archive

        root = install_archive(settings.archive, Path(settings.cache_dir) if settings.cache_dir else workspace)
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
    for name in PRIVATE:
        if any(_provides(folder, name) for folder in (source.code, source.packages) if folder is not None):
            _forget(name)
    importlib.invalidate_caches()
    os.chdir(source.code)


def _write_inline(files: dict[str, str], code: Path) -> Path:
    if code.is_dir():  # written by the worker before this one
        return code
    sys.dont_write_bytecode = True  # compiled once a start: writing it down costs more than it saves
    for name, text in files.items():
        path = code / name
        if not name or name.startswith("/") or "\0" in name or ".." in Path(name).parts:
            raise StartupError(f"FAAS_SOURCE_INLINE: {name!r} is no path inside the function's folder")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        except (OSError, UnicodeEncodeError) as error:
            raise StartupError(f"FAAS_SOURCE_INLINE: cannot write {name!r}: {error}") from None
    code.mkdir(parents=True, exist_ok=True)
    return code


def _warn_of_hidden_modules(code: Path) -> None:
    """A file named like a loaded standard module would be silently ignored; say so."""
    for path in sorted(code.iterdir()):
        name = path.name.removesuffix(".py")
        if name == "faas_runtime" or (name in sys.stdlib_module_names and _provides(code, name)):
            print(f"faas: {path.name} has the name of a module of Python or of the runtime; rename it", file=sys.stderr)


def _provides(folder: Path, name: str) -> bool:
    return (folder / name).is_dir() or (folder / f"{name}.py").is_file() or any(folder.glob(f"{name}.*.so"))


def _forget(name: str) -> None:
    for loaded in [key for key in sys.modules if key == name or key.startswith(f"{name}.")]:
        del sys.modules[loaded]


def _is_standard(finder: object) -> bool:
    return getattr(finder, "__module__", "").startswith(("_frozen_importlib", "importlib."))
