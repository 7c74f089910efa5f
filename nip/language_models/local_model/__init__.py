"""Loading of and generation with models of the ``transformers`` library."""
