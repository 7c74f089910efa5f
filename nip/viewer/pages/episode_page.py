"""Pages of the episodes of networks: those of one iteration, and those about one question."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from starlette.requests import Request
from starlette.responses import Response

from nip.errors import NipError
from nip.experiment_settings import ExperimentSettings
from nip.run_store.reading import read_settings
from nip.viewer.episodes.samples import (
    Episode,
    episodes_of_datapoint,
    read_sample,
    sample_iterations,
)
from nip.viewer.pages.state import ViewerState, integer_of, state_of, value_of
from nip.viewer.runs.summary import RunSummary
from nip.viewer.web.rendering import page

if TYPE_CHECKING:
    from nip.viewer.episodes.graph_drawing import GraphPair

T = TypeVar("T")

MAX_ITERATIONS = 6
"""Maximum number of iterations of a run in which one question is shown."""

MAX_RUNS = 12
"""Maximum number of runs in which one question is shown."""


@dataclass
class DrawnEpisode:
    """One episode and its drawing, if its scenario has one."""

    episode: Episode
    """The episode."""

    graphs: "GraphPair | None" = None
    """The graphs with the named nodes."""

    images: Sequence[str] = field(default_factory=list)
    """For each round, the image with the named pixels, as a data URI."""

    problem: str = ""
    """Why there is no drawing."""


def show_episodes(request: Request) -> Response:
    """Show the episodes of one iteration, by default the last."""
    state, run_id = state_of(request), request.path_params["run"]
    folder = state.folder(run_id)
    iterations = sample_iterations(folder)
    iteration = integer_of(request, "iteration") or (iterations[-1] if iterations else 0)
    outcome = value_of(request, "outcome")
    sample = read_sample(folder, iteration) if iteration in iterations else None
    episodes = [] if sample is None else sample.episodes
    return page(
        request,
        "episodes.html",
        run=state.catalogue.get(run_id),
        iterations=iterations,
        iteration=iteration,
        sample=sample,
        outcome=outcome,
        drawn=[
            draw_episode(state, run_id, iteration, each)
            for each in episodes
            if outcome in ("", each.outcome)
        ],
    )


def show_question_episodes(request: Request) -> Response:
    """Show the episodes about one question: in its run, and in runs with the same data."""
    state, run_id = state_of(request), request.path_params["run"]
    datapoint = request.path_params["datapoint"]
    state.folder(run_id)
    asked = state.catalogue.get(run_id)
    found = [
        (run, episodes)
        for run in state.catalogue.all()
        if _questions_of(run) == _questions_of(asked)
        and (episodes := episodes_of_datapoint(state.folder(run.run_id), datapoint))
    ]
    found.sort(key=lambda each: (each[0].run_id != run_id, each[0].run_id))
    groups = [
        (
            run,
            [(at, draw_episode(state, run.run_id, at, each)) for at, each in _spread(episodes)],
            len(episodes),
        )
        for run, episodes in found[:MAX_RUNS]
    ]
    return page(request, "question_episodes.html", run=asked, datapoint=datapoint, groups=groups)


def _questions_of(run: RunSummary) -> tuple[str, ...]:
    """Return what determines which question an index stands for."""
    return (run.parameter("scenario"), run.parameter("dataset"), _split(run.tree))


def _spread(found: Sequence[T]) -> list[T]:
    """Return at most ``MAX_ITERATIONS`` items, from the first to the last."""
    if len(found) <= MAX_ITERATIONS:
        return list(found)
    last = len(found) - 1
    return [found[round(last * place / (MAX_ITERATIONS - 1))] for place in range(MAX_ITERATIONS)]


def draw_episode(state: ViewerState, run_id: str, iteration: int, episode: Episode) -> DrawnEpisode:
    """Return an episode with its drawing; or why it has none."""
    drawn = DrawnEpisode(episode)
    folder, run = state.folder(run_id), state.catalogue.get(run_id)
    if episode.raw:
        return drawn
    try:
        if run.parameter("scenario") == "graph_isomorphism":
            # Imported here, because it takes a moment and text needs none.
            from nip.viewer.episodes.graph_drawing import draw_pair

            data_dir = state.options.data_dir or _data_dir(folder)
            split = _split(run.tree)
            drawn.graphs = draw_pair(data_dir, run.parameter("dataset"), split, episode)
        elif run.parameter("scenario") == "image_classification":
            from nip.viewer.episodes.image_drawing import draw_rounds

            drawn.images = draw_rounds(folder, state.options.data_dir, iteration, episode)
    except (NipError, OSError) as error:
        drawn.problem = str(error)
    return drawn


def _data_dir(folder: Path) -> str:
    return str(read_settings(folder).get("data_dir", ExperimentSettings.data_dir))


def _split(tree: Mapping[str, Any]) -> str:
    """Return the split from which the callback has taken the questions."""
    callbacks = tree.get("callbacks")
    listed = callbacks if isinstance(callbacks, list) else []
    found = [
        each["split"]
        for each in listed
        if isinstance(each, Mapping)
        and each.get("name") == "rollout_samples"
        and each.get("split") in ("train", "test")
    ]
    return [*["test"], *found][-1]
