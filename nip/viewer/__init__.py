"""The viewer: a local web page that shows runs, their metrics and their dialogues."""
