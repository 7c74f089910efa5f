"""Built-in launchers, one module for each library that executes the runs."""
