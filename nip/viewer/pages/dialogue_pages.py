"""Pages about dialogues of language models."""

from typing import Any

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response

from nip.errors import ParameterError
from nip.utils.unicode_text import valid_unicode
from nip.viewer.dialogues.agent_view import SentRequest, requests_to
from nip.viewer.dialogues.dialogue_view import DialogueView, view_of
from nip.viewer.dialogues.experiments import TextExperiment
from nip.viewer.dialogues.records import StoredDialogue, read_dialogue
from nip.viewer.dialogues.selection import (
    DAMAGED,
    ORDERS,
    OUTCOMES,
    DialogueFilter,
    list_dialogues,
    neighbours,
    same_question,
)
from nip.viewer.pages.state import ViewerState, integer_of, listed, state_of, value_of
from nip.viewer.web.place import Place, place_of
from nip.viewer.web.rendering import page, with_query

MAX_COLUMNS = 6
"""Maximum number of dialogues that are shown beside each other."""


def show_dialogues(request: Request) -> Response:
    """Show a page of the dialogues of a run."""
    state, run_id = state_of(request), request.path_params["run"]
    folder = state.folder(run_id)
    chosen = filter_of(request)
    number = max(1, integer_of(request, "page") or 1)
    with state.database(run_id) as database:
        found = list_dialogues(database, run_id, chosen, number)
        iterations = sorted(
            {each for phase in ("train", "test") for each in database.rollouts.iterations(phase)}
        )
    # The experiment is not built here: it takes a moment, and the list does without it.
    views = [view_of(each, "") for each in found.dialogues]
    return page(
        request,
        "dialogues.html",
        run=state.catalogue.get(run_id),
        views=views,
        found=found,
        chosen=chosen,
        query=_query(chosen),
        iterations=iterations,
        outcomes=[*OUTCOMES, DAMAGED],
        orders=list(ORDERS),
        folder=str(folder),
    )


def filter_of(request: Request) -> DialogueFilter:
    """Return the filter of dialogues in the query of a request; answer 400 to an unknown one."""
    label = value_of(request, "label")
    try:
        return DialogueFilter(
            phase=value_of(request, "phase"),
            iteration=integer_of(request, "iteration"),
            outcome=value_of(request, "outcome"),
            label={"accept": 1, "reject": 0}.get(label),
            question=value_of(request, "question"),
            order=value_of(request, "order", "time"),
        )
    except ParameterError as error:
        raise HTTPException(400, str(error)) from error


def _query(chosen: DialogueFilter) -> dict[str, Any]:
    return {
        "phase": chosen.phase,
        "iteration": chosen.iteration,
        "outcome": chosen.outcome,
        "label": {None: "", 0: "reject", 1: "accept"}[chosen.label],
        "question": chosen.question,
        "order": "" if chosen.order == "time" else chosen.order,
    }


def show_dialogue(request: Request) -> Response:
    """Show one dialogue: all messages, or what one agent was sent (``?as=AGENT``)."""
    state, place = state_of(request), place_of(request)
    stored = stored_at(state, place)
    with state.database(place.run) as database:
        before, after = neighbours(database, place)
    experiment = state.experiments.get(state.folder(place.run))
    view = view_of(stored, experiment)
    agent = value_of(request, "as")
    return page(
        request,
        "dialogue.html",
        view=view,
        place=place,
        before=before,
        after=after,
        viewer_agent=agent,
        requests=_requests(view, experiment, agent) if agent else [],
        has_changed_prompts=isinstance(experiment, TextExperiment)
        and experiment.has_changed_prompts,
        question_url=question_url(view),
    )


def question_url(view: DialogueView) -> str:
    """Return the page of all dialogues about the question of a dialogue."""
    if view.rollout is None:
        return ""
    return with_query("/question", run=view.place.run, id=view.rollout.datapoint_id)


def _requests(
    view: DialogueView, experiment: TextExperiment | str, agent: str
) -> list[SentRequest]:
    """Return what an agent was sent; answer 404 if that is unknown."""
    if view.rollout is None or isinstance(experiment, str):
        reason = view.problem or "its record is damaged"
        raise HTTPException(404, f"What {agent!r} was sent cannot be shown: {reason}")
    conversation = experiment.conversation(view.place.phase, view.rollout)
    if agent not in experiment.agent_names or conversation is None:
        known = ", ".join(experiment.agent_names)
        raise HTTPException(404, f"There is no agent {agent!r}. There are {known}.")
    return requests_to(agent, view.rollout, conversation)


def requests_json(request: Request) -> Response:
    """Return what one agent was sent at each of its turns, as it was sent."""
    state, place = state_of(request), place_of(request)
    experiment = state.experiments.get(state.folder(place.run))
    view = view_of(stored_at(state, place), experiment)
    sent = _requests(view, experiment, request.path_params["agent"])
    return JSONResponse([{"round": each.round + 1, "messages": each.messages} for each in sent])


def message_text(request: Request) -> Response:
    """Return the whole text of one message, as plain text."""
    state, place = state_of(request), place_of(request)
    stored = stored_at(state, place)
    if stored.damage is not None:
        return PlainTextResponse(stored.damage.raw)
    rollout, index = stored.rollout, int(request.path_params["turn"])
    if rollout is None or index >= len(rollout.messages):
        raise HTTPException(404, f"The dialogue has no message {index}.")
    return PlainTextResponse(valid_unicode(rollout.messages[index].text))


def stored_at(state: ViewerState, place: Place) -> StoredDialogue:
    """Return the dialogue at a place; answer 404 if there is none."""
    with state.database(place.run) as database:
        stored = read_dialogue(database, place)
    if stored is None:
        raise HTTPException(404, f"Run {place.run!r} has no dialogue at {place.title}.")
    return stored


def show_question(request: Request) -> Response:
    """Show all dialogues about one question: in its run, and in runs with the same dataset."""
    state = state_of(request)
    run_id, datapoint_id = value_of(request, "run"), value_of(request, "id")
    state.folder(run_id)
    asked = state.catalogue.get(run_id)
    groups = []
    for run in state.catalogue.all():
        names = ("scenario", "dataset")
        if run.num_dialogues and all(
            run.parameter(name) == asked.parameter(name) for name in names
        ):
            with state.database(run.run_id) as database:
                found = same_question(database, run.run_id, datapoint_id)
            if found:
                groups.append((run, [view_of(each, "") for each in found]))
    groups.sort(key=lambda group: (group[0].run_id != run_id, group[0].run_id))
    return page(
        request, "question.html", run=asked, datapoint_id=datapoint_id, groups=groups,
        suggestions=_suggestions(groups),
    )  # fmt: skip


def _suggestions(groups: list[Any]) -> list[tuple[str, str]]:
    """Return names and addresses of comparisons that are likely to be wanted."""
    found = []
    for run, views in groups[:1]:
        for phase in ("train", "test"):
            of_phase = [view.place for view in views if view.place.phase == phase]
            if len(of_phase) > 1:
                chosen = dict.fromkeys([of_phase[0], of_phase[len(of_phase) // 2], of_phase[-1]])
                iterations = ", ".join(str(place.iteration) for place in chosen)
                found.append((f"{run.run_id}: {phase} {iterations}", _beside(list(chosen))))
    if len(groups) > 1:
        last = [views[-1].place for _, views in groups[:MAX_COLUMNS]]
        found.append(("the last one of each run", _beside(last)))
    return found


def _beside(places: list[Place]) -> str:
    return with_query("/beside", d=[place.key for place in places])


def show_beside(request: Request) -> Response:
    """Show several dialogues beside each other, round by round."""
    state = state_of(request)
    try:
        places = [Place.parse(key) for key in listed(request, "d")][:MAX_COLUMNS]
    except ParameterError as error:
        raise HTTPException(400, str(error)) from error
    views = []
    for place in places:
        experiment = state.experiments.get(state.folder(place.run))
        views.append(view_of(stored_at(state, place), experiment))
    questions = {view.rollout.datapoint_id for view in views if view.rollout is not None}
    return page(
        request,
        "beside.html",
        views=views,
        num_rounds=max((len(view.rounds) for view in views), default=0),
        is_one_question=len(questions) == 1,
        export_url=with_query("/export.html", d=[place.key for place in places]),
    )
