"""What every scenario is made of: data, environment and agents."""
