"""Layers of small networks, by compiled kernels where there are any and by PyTorch elsewhere."""
