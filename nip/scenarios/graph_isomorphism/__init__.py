"""The graph isomorphism scenario: datasets, networks of agents, and generation of graph pairs."""
