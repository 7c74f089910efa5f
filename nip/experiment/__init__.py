"""From hyper-parameters to built parts: checks, base runs, loaded agents, plan."""
