"""On the workstation: networks, training, checkpoint -> ONNX. Imports `onboard` and `maps`."""
