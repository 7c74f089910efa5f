"""Graph isomorphism: its data, the networks of its agents, and the scenario that joins them."""
