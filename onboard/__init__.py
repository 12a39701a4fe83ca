"""What flies: from a camera frame and the autopilot's telemetry to a position on MAVLink.

The bottom layer. It imports numpy, OpenCV, hnswlib, ONNX Runtime, pymavlink and
pyproj; never torch, never GDAL, never `maps`, `export` or `tools`.
"""
