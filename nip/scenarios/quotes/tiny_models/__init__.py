"""Language models of 100,000 weights that speak the language of ``quotes``, made from scratch."""
