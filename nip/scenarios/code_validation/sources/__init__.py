"""Where questions and programs come from: files, the Hugging Face hub, or the package itself."""
