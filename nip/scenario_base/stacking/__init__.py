"""Networks, environments and rollouts of several runs that are computed together."""
