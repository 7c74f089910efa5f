"""Layers and updates of small networks by compiled kernels, where there are any."""
