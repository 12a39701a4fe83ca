"""Networks, one file each, in plain PyTorch."""
