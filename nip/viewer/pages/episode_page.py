"""The page of the episodes of networks that a run has written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.requests import Request
from starlette.responses import Response

from nip.errors import NipError
from nip.experiment_settings import ExperimentSettings
from nip.run_store.reading import read_settings
from nip.viewer.episodes.samples import Episode, read_sample, sample_iterations
from nip.viewer.pages.state import ViewerState, integer_of, state_of, value_of
from nip.viewer.web.rendering import page

if TYPE_CHECKING:
    from nip.viewer.episodes.graph_drawing import GraphPair


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
