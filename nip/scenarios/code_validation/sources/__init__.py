"""Sources of datasets: files, the Hugging Face hub, and the built-in dataset."""
