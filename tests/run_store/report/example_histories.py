"""Histories for plots, and the labels of a plot."""

from nip.run_store import RunHistory


def history_of(**series):
    history = RunHistory()
    for name, values in series.items():
        for iteration, value in enumerate(values, start=1):
            history.update(iteration, {name.replace("__", "."): value})
    return history


def legend_of(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]
