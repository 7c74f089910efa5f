"""Named numpy arrays, nested and in batches: what a ``TensorDict`` is, for texts."""

from nip.utils.nested_array_dict.batch import NestedArrayDict
from nip.utils.nested_array_dict.joining import concatenate, stack

__all__ = ["NestedArrayDict", "concatenate", "stack"]
