"""The controller of ImoocPod."""

__version__ = "0.1.0"
