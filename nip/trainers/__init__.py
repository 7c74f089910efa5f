"""How agents learn: one file per trainer."""
