"""Export of dialogues and curves: one HTML file, or a log of Inspect."""
