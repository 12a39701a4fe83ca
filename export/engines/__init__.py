"""TensorRT engines: built, compared with the network, stamped and recorded."""
