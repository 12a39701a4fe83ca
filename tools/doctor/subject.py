"""What the checks look at: the machine, and the flight that a settings file describes. Each
thing is opened once, by the first check that asks for it."""

from __future__ import annotations

import dataclasses
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Generic, TypeVar

from onboard.errors import InputError
from tools.doctor.check import NotAsked

if TYPE_CHECKING:  # a package that is missing is a finding, and must not keep from the others
    from onboard.camera import Camera
    from onboard.flight_settings import FlightSettings
    from onboard.model_bundle import ModelBundle
    from onboard.pack.found_pack import FoundPack
    from onboard.pack.map_pack import MapPack
    from onboard.pack.pack_manifest import Manifest
    from tools.doctor.autopilot_session import AutopilotSession
    from tools.doctor.camera_look import CameraLook

T = TypeVar("T")
HASHING_S = 7.0  # what the doctor can wait; some gigabytes


class Once(Generic[T]):
    """Made when first asked for, from any thread; what it raised it raises again."""

    def __init__(self, what: str, make: Callable[[], T]) -> None:
        self._what = what
        self._make = make
        self._lock = threading.Lock()
        self._made: list[T] = []
        self._error: Exception | None = None

    def get(self) -> T:
        """For the check that answers for it. Raises what making it raised."""
        with self._lock:
            if self._error is None and not self._made:
                try:
                    self._made.append(self._make())
                except Exception as e:
                    self._error = e
        if self._error is not None:
            raise self._error
        return self._made[0]

    def needed(self) -> T:
        """For all other checks. Raises NotAsked."""
        try:
            return self.get()
        except NotAsked:
            raise
        except Exception as e:
            raise NotAsked(f"needs {self._what}, which failed") from e

    @property
    def made(self) -> T | None:
        """Without making it."""
        return self._made[0] if self._made else None


class Subject:
    """settings_path None: the machine alone. link_address and agl_m go before what the settings
    say. root: where /proc and /sys begin, another folder in tests."""

    def __init__(
        self,
        settings_path: Path | None = None,
        link_address: str | None = None,
        agl_m: float | None = None,
        root: Path = Path("/"),
    ) -> None:
        self.settings_path = settings_path
        self.agl_m = agl_m
        self.root = root
        self._link_address = link_address
        self.settings: Once[FlightSettings] = Once("the settings file", self._load_settings)
        self.manifest: Once[Manifest] = Once("the map's manifest", self._read_manifest)
        self.found_pack: Once[FoundPack] = Once("the map's signature", self._find_pack)
        self.hashed: Once[tuple[int, int]] = Once("the map's files", self._hash_files)
        self.bundle: Once[ModelBundle] = Once("the model bundle", self._load_bundle)
        self.pack: Once[MapPack] = Once("the map pack", self._open_pack)
        self.camera_file: Once[Camera] = Once("the camera file", self._read_camera_file)
        self.camera: Once[CameraLook] = Once("the camera", self._look_through_camera)
        self.autopilot: Once[AutopilotSession] = Once("the autopilot's link", self._hear_autopilot)

    @property
    def has_link(self) -> bool:
        return self._link_address is not None or self.settings_path is not None

    def file(self, path: Path | None, key: str) -> Path:
        """A path of the settings; relative ones count from their file's folder.

        Raises NotAsked: the settings name none.
        """
        if path is None:
            raise NotAsked(f"the settings name no {key}")
        assert self.settings_path is not None
        return self.settings_path.parent / path

    def close(self) -> None:
        for once in (self.camera, self.autopilot):
            opened = once.made
            if opened is not None:
                opened.close()

    def _load_settings(self) -> FlightSettings:
        from onboard.flight_settings import FlightSettings
        from onboard.settings import load_settings

        if self.settings_path is None:
            if self._link_address is None:
                raise NotAsked("no settings file was given")
            settings = FlightSettings()
        else:
            settings = load_settings(self.settings_path, FlightSettings)
        if self._link_address is not None:
            link = dataclasses.replace(settings.link, address=self._link_address)
            settings = dataclasses.replace(settings, link=link)
        return settings

    def _read_manifest(self) -> Manifest:
        from onboard.pack.pack_manifest import read_manifest

        return read_manifest(self.file(self.settings.needed().map, "map"))

    def _find_pack(self) -> FoundPack:
        """As a flight does, but nothing is kept of it."""
        from onboard.inference.engine_record import state_folder
        from onboard.pack.accepted_maps import FILE_NAME
        from onboard.pack.found_pack import find_pack, trust_of

        self.manifest.needed()
        settings = self.settings.needed()
        key = settings.map_public_key and self.file(settings.map_public_key, "map_public_key")
        trust = trust_of(key, state_folder() / FILE_NAME)
        return find_pack(self.file(settings.map, "map"), trust)

    def _hash_files(self) -> tuple[int, int]:
        """(files that are as the manifest says, files). Fewer where time ran out."""
        from onboard.pack.pack_hashes import check_file

        found, began_s = self.found_pack.needed(), time.monotonic()
        for number, expected in enumerate(found.manifest.files):
            if time.monotonic() - began_s > HASHING_S:
                return number, len(found.manifest.files)
            check_file(found.path, expected)
        return len(found.manifest.files), len(found.manifest.files)

    def _load_bundle(self) -> ModelBundle:
        """The one that a flight would take: that of the map, or else the default."""
        from onboard.model_bundle import DEFAULT_BUNDLE, load_bundle, shipped_bundle_of

        path = DEFAULT_BUNDLE
        if self.settings_path is not None:
            try:
                path = shipped_bundle_of(self.manifest.get().model.sha256) or DEFAULT_BUNDLE
            except (InputError, NotAsked):
                path = DEFAULT_BUNDLE
        return load_bundle(path)

    def _open_pack(self) -> MapPack:
        """Nothing parses a file before it was hashed, if there was time for all of them."""
        from onboard.pack.map_pack import MapPack

        found = self.found_pack.needed()
        self.hashed.needed()
        return MapPack.of_manifest(found.path, found.manifest, check_hashes=False)

    def _read_camera_file(self) -> Camera:
        from onboard.camera import Camera
        from onboard.settings import load_settings

        return load_settings(self.file(self.settings.needed().camera_file, "camera_file"), Camera)

    def _look_through_camera(self) -> CameraLook:
        from tools.doctor.camera_look import CameraLook

        settings = self.settings.needed()
        if not settings.camera:
            raise NotAsked("the settings name no camera")
        return CameraLook(self._camera_uri(settings.camera), settings.frame_hz)

    def _camera_uri(self, camera: str) -> str:
        """A recording's path counts from the settings file's folder, as in flight."""
        assert self.settings_path is not None
        here = self.settings_path.resolve().parent
        return str(here / camera) if (here / camera.partition("?")[0]).exists() else camera

    def _hear_autopilot(self) -> AutopilotSession:
        from tools.doctor.autopilot_session import AutopilotSession

        link = self.settings.needed().link
        if not link.address:
            raise NotAsked("the settings name no link address")
        return AutopilotSession(link)
