"""Building blocks of parameter fields: annotations, validation, dotted names, unused options."""
