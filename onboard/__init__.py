"""What flies: from a camera frame and the autopilot's telemetry to a position on MAVLink.

The bottom layer. It imports numpy, OpenCV, hnswlib, ONNX Runtime, pymavlink and
pyproj; never torch, never GDAL, never `maps`, `export` or `tools`.
"""

import os

# ONNX Runtime's wheels (1.31.1 for one) send notes of their use to their makers, unless told not to
# before they are imported. What flies tells nobody outside where and when.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
