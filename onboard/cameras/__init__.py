"""Where frames come from: one kind of source, one file, behind one contract."""

from onboard.cameras.choose import open_camera

__all__ = ["open_camera"]
