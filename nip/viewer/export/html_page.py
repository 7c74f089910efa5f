"""Export of dialogues and curves to one HTML file, which needs no network and no server."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from nip.viewer.dialogues.agent_view import SentRequest
from nip.viewer.dialogues.dialogue_view import DialogueView
from nip.viewer.web.rendering import render
from nip.viewer.web.static_files import static_text

_SCRIPTS = ("curves.js", "viewer.js")


@dataclass(frozen=True)
class ExportedDialogue:
    """One dialogue with what each agent was sent."""

    view: DialogueView
    """The dialogue."""

    sent: Mapping[str, Sequence[SentRequest]]
    """The requests to each agent by its name; empty if they are unknown."""


def export_page(
    dialogues: Sequence[ExportedDialogue], curves: Mapping[str, Any], title: str
) -> str:
    """Return an HTML file with dialogues and learning curves.

    Its content security policy allows only the scripts of the viewer, which the file contains, and
    no request at all.

    Parameters
    ----------
    dialogues : sequence of ExportedDialogue
        The dialogues, in the order of the file.
    curves : mapping
        Result of ``curves_of``.
    title : str
        Title of the file.
    """
    style = static_text("viewer.css")
    scripts = [static_text(name) for name in ("theme.js", *_SCRIPTS)]
    policy = "; ".join(
        (
            "default-src 'none'",
            "img-src data:",
            f"style-src {_hash(style)}",
            f"script-src {' '.join(map(_hash, scripts))}",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )
    return render(
        "export.html",
        dialogues=dialogues,
        curves=curves,
        title=title,
        policy=policy,
        style=Markup(style),
        first_script=Markup(scripts[0]),
        scripts=[Markup(script) for script in scripts[1:]],
    )


def _hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode('ascii')}'"
