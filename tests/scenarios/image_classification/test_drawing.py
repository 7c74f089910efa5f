"""Pictures show the image, with frames around the named latent pixels."""

import numpy as np
from matplotlib.colors import to_rgb

from nip.scenarios.image_classification.drawing import (
    NamedPixel,
    agent_colours,
    draw_episodes,
    draw_named_pixels,
    named_pixels,
)

COLOURS = {"a": "#ff0000", "b": "#00ff00"}
EPISODE = {
    "datapoint_id": 0,
    "label": 1,
    "verdict": "accept",
    "rewards": {"prover": 1.0, "verifier": 1.0},
    "rounds": [
        {
            "round": 1,
            "messages": {"main": {"prover": {"latent_pixel_selected": [[1, 0], [0, 1]]}}},
            "decisions": {},
        },
        {
            "round": 2,
            "messages": {"main": {"verifier": {"latent_pixel_selected": [[0, 0], [0, 0]]}}},
            "decisions": {"verifier": "accept"},
        },
    ],
}


def test_a_frame_surrounds_the_named_pixel_and_nothing_else() -> None:
    image = np.zeros((1, 4, 4))
    picture = draw_named_pixels(image, [NamedPixel("a", 1, 0)], (2, 2), COLOURS, scale=6)
    assert picture.shape == (24, 24, 3)
    is_frame = (picture == (255, 0, 0)).all(-1)
    expected = np.zeros((24, 24), dtype=bool)
    expected[12:, :12] = True
    expected[13:23, 1:11] = False
    assert np.array_equal(is_frame, expected)
    assert (picture[~is_frame] == 128).all()


def test_frames_of_one_pixel_are_nested() -> None:
    named = [NamedPixel("a", 0, 0), NamedPixel("b", 0, 0)]
    picture = draw_named_pixels(-np.ones((3, 2, 2)), named, (1, 1), COLOURS, scale=6)
    assert picture[0, 0].tolist() == [255, 0, 0]
    assert picture[1, 1].tolist() == [0, 255, 0]
    assert picture[2, 2].tolist() == [0, 0, 0]


def test_colours_of_the_image_are_kept() -> None:
    image = np.array([1.0, 0.0, -1.0]).reshape(3, 1, 1)
    picture = draw_named_pixels(image, [], (1, 1), COLOURS, scale=1)
    assert picture[0, 0].tolist() == [255, 128, 0]


def test_messages_that_nobody_reads_are_left_out() -> None:
    assert named_pixels(EPISODE) == [NamedPixel("prover", 1, 0), NamedPixel("prover", 0, 1)]


def test_every_agent_has_a_colour_of_its_own() -> None:
    colours = agent_colours(["prover0", "prover1", "verifier"])
    assert len({to_rgb(colour) for colour in colours.values()}) == 3


def test_a_figure_tells_the_verdicts() -> None:
    wrong = {**EPISODE, "verdict": "reject"}
    images = np.zeros((3, 1, 4, 4))
    figure = draw_episodes([EPISODE, wrong, EPISODE], images, (2, 2), "Title", num_columns=2)
    titles = [axes.get_title() for axes in figure.axes]
    assert titles == ["label 1: accept (right)", "label 1: reject (wrong)", titles[0], ""]
    assert figure.get_suptitle() == "Title"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["prover"]
