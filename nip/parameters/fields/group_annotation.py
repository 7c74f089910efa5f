"""Annotation of fields that hold a group of parameters.

.. code-block:: python

    from nip.parameters import RlParameters

    rl: Group[RlParameters] = GROUP_DEFAULT

For type checkers the field can be set to an instance, a mapping or None, and is read as
``RlParameters``.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, TypeVar

G = TypeVar("G")

GROUP_DEFAULT: Any = None
"""Default of a field that holds a group: the group is built from its own defaults."""

if TYPE_CHECKING:

    class Group(Generic[G]):
        """Annotation of a field that holds a group."""

        def __get__(self, instance: object, owner: type | None = None) -> G:
            """Return the group."""

        def __set__(self, instance: object, value: G | Mapping[str, Any] | None) -> None:
            """Set the group: an instance, a mapping of its fields, or None for its defaults."""

else:

    class Group:
        """Annotation of a field that holds a group: at run time ``Group[G]`` is ``G`` itself."""

        def __class_getitem__(cls, group_class: type) -> type:
            """Return the class of the group."""
            return group_class
