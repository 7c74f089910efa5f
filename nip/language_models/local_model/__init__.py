"""Language models that run in this process, from a folder of the ``transformers`` library."""
