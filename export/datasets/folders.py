"""Lists the folders of a data set; what is not as its authors give it out is said in a sentence."""

from __future__ import annotations

from pathlib import Path

from onboard.errors import InputError

PICTURE_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp")


def need_folder(path: Path, layout: str) -> Path:
    """The folder itself. layout: what it should hold, for the message.

    Raises InputError: no such folder.
    """
    if not path.is_dir():
        raise InputError(f"{path}: no such folder; expected is {layout}")
    return path


def subfolders(path: Path, layout: str) -> list[Path]:
    """The folders in a folder, sorted by name; hidden ones are passed over.

    Raises InputError: no such folder, no folders in it, not readable.
    """
    try:
        found = sorted(
            p for p in need_folder(path, layout).iterdir() if p.is_dir() and p.name[0] != "."
        )
    except OSError as e:
        raise InputError(f"{path}: cannot be listed ({e.strerror}); correct its rights") from e
    if not found:
        raise InputError(f"{path}: holds no folders; expected is {layout}")
    return found


def pictures(path: Path, layout: str) -> list[Path]:
    """The picture files in a folder, sorted by name, whatever the case of their endings; hidden
    ones are passed over.

    Raises InputError: no such folder, no pictures in it, not readable.
    """
    try:
        found = sorted(
            p
            for p in need_folder(path, layout).iterdir()
            if p.suffix.lower() in PICTURE_SUFFIXES and p.name[0] != "."
        )
    except OSError as e:
        raise InputError(f"{path}: cannot be listed ({e.strerror}); correct its rights") from e
    if not found:
        kinds = ", ".join(PICTURE_SUFFIXES)
        raise InputError(f"{path}: holds no pictures ({kinds}); expected is {layout}")
    return found


class PictureNames:
    """The pictures of one folder by name: looks a label's names up without a system call each."""

    def __init__(self, path: Path, layout: str) -> None:
        """Raises InputError as `pictures` does."""
        self._folder = path
        self._exact = {p.name: p for p in pictures(path, layout)}
        self._loose = {p.name.lower(): p for p in self._exact.values()}

    def __len__(self) -> int:
        return len(self._exact)

    def paths(self) -> list[Path]:
        """All of them, sorted by name."""
        return list(self._exact.values())

    def path(self, name: str) -> Path | None:
        """The file of this name, in whatever case; None where there is none."""
        return self._exact.get(name) or self._loose.get(name.lower())

    def need(self, name: str, where: str) -> Path:
        """The same. where: file and line that name the picture.

        Raises InputError: no such picture.
        """
        found = self.path(name)
        if found is None:
            raise InputError(
                f"{where}: names '{name}', but {self._folder} holds no such picture; "
                "get the data set again"
            )
        return found
