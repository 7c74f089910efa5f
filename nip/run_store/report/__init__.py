"""How a run went: learning curves, comparisons of runs, and the summary in the terminal."""
