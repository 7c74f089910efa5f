"""From checked hyper-parameters to built parts: checks, plan, base runs, loaded agents."""
