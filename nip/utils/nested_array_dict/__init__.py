"""Nested dictionaries of numpy arrays with common batch dimensions, a ``TensorDict`` for text."""

from nip.utils.nested_array_dict.batch import NestedArrayDict
from nip.utils.nested_array_dict.joining import concatenate, stack

__all__ = ["NestedArrayDict", "concatenate", "stack"]
