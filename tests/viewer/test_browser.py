"""The pages in a real browser: scripts, keyboard, colours, live updates, exports from the disk."""

import json
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
import uvicorn

from nip.run_store import Run
from nip.viewer.app import build_app
from nip.viewer.serving import HOST, listening_socket
from nip.viewer.web.options import ViewerOptions
from tests.text_experiments import make_text_params, text_settings
from tests.viewer.chromium import Chromium, find_chromium
from tests.viewer.stored_runs import message, questions, record, store_run
from tests.viewer.test_hostile import HOSTILE

pytestmark = pytest.mark.skipif(
    find_chromium() is None, reason="there is no Chromium (Debian: apt install chromium)"
)

NUM_MANY = 10_000


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with runs: two of few dialogues, a hostile one, and one of ten thousand."""
    runs_dir = tmp_path_factory.mktemp("browser") / "runs"
    asked = questions(runs_dir)
    metrics = {i: {"mean_accuracy": i / 10, "loss": 1 / i} for i in range(1, 6)}
    for run_id, seed in (("first", 1), ("second", 2)):
        records = [record(asked[i], i, i) for i in range(4)]
        store_run(runs_dir, run_id, records, metrics=metrics, seed=seed)
    said = [
        [message("verifier", 1, text, reasoning=text), message("prover", 2, text)]
        for text in HOSTILE
    ]
    records = [record(asked[0], 0, i, messages=each) for i, each in enumerate(said)]
    store_run(runs_dir, "hostile", records)
    many = store_run(runs_dir, "many", [])
    texts = [json.dumps(record(question, i)) for i, question in enumerate(asked)]
    rows = (("train", 1, i, texts[i % len(texts)]) for i in range(NUM_MANY))
    with closing(sqlite3.connect(many / "run.db")) as database, database:
        database.executemany("INSERT INTO rollouts VALUES (?, ?, ?, ?)", rows)
    return runs_dir


@pytest.fixture(scope="module")
def address(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    app = build_app(ViewerOptions(folder, tmp_path_factory.mktemp("index") / "index.db"))
    with listening_socket(0) as listener:
        server = uvicorn.Server(uvicorn.Config(app, log_level="error"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield f"http://{HOST}:{listener.getsockname()[1]}"
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def shared() -> Iterator[Chromium]:
    browser = Chromium()
    yield browser
    browser.close()


@pytest.fixture
def browser(shared: Chromium, address: str) -> Iterator[Chromium]:
    """Return the browser; afterwards there was no error, and no request to any other host."""
    shared.errors.clear()
    shared.requests.clear()
    yield shared
    assert shared.errors == []
    own = (address, "data:", "file:", "about:")
    assert [each for each in shared.requests if not each.startswith(own)] == []


def count(browser: Chromium, selector: str) -> int:
    return int(browser.run(f"document.querySelectorAll({selector!r}).length"))


def test_runs_are_filtered_and_compared_by_the_keyboard(browser: Chromium, address: str) -> None:
    browser.open(f"{address}/runs")
    browser.until("document.querySelectorAll('tr[data-step]').length === 4")
    browser.run("document.querySelector('form[data-filters] input[name=q]').focus()")
    for key in "second":
        browser.press(key)
    browser.press("Enter")
    browser.until("location.search.startsWith('?q=second&')")
    assert browser.run("[...document.querySelectorAll('[data-open]')].map(e => e.innerText)") == [
        "second"
    ]
    browser.open(f"{address}/runs?sort=name&q=seed")
    browser.press("j")
    assert browser.run("document.querySelector('.current [data-open]').innerText") == "first"
    browser.press("x")
    for key in ("j", "j", "j", "x"):
        browser.press(key)
    assert "Compare 2 chosen" in browser.text()
    browser.run("document.querySelector('[data-needs]').click()")
    browser.until("document.querySelectorAll('.panel polyline').length >= 4")
    assert browser.run("location.search") == "?run=first&run=second"
    shown = "[...document.querySelectorAll('#compared tbody tr')].filter(e => !e.hidden)"
    assert browser.run(f"{shown}.map(e => e.firstChild.innerText)") == ["seed"]


def test_a_search_leads_to_the_message(browser: Chromium, address: str) -> None:
    browser.open(f"{address}/runs/first")
    browser.press("/")
    for key in '"adds up all"':
        browser.press(key)
    browser.press("Enter")
    found = "document.querySelector('mark') && !document.querySelector('[data-reload]')"
    browser.until(f"location.pathname === '/search' && {found}")
    browser.press("j")  # The keys move through what was found: its field has not the focus.
    browser.press("Enter")
    browser.until("location.hash === '#turn-1'")
    target = "getComputedStyle(document.querySelector('.turn:target')).boxShadow"
    assert browser.until(target) != "none"
    assert "It adds up all items." in browser.run("document.querySelector(':target').innerText")


def test_a_search_without_result_is_typed_anew(browser: Chromium, address: str) -> None:
    browser.open(f"{address}/search?q=nowhere")
    browser.until("document.activeElement === document.querySelector('[data-search]')")
    assert "0 messages" in browser.text()


def test_keys_go_through_a_dialogue_and_its_views(browser: Chromium, address: str) -> None:
    browser.open(f"{address}/runs/first/dialogues/train/1/1")
    browser.press("j")
    assert browser.run("document.querySelector('.current').id") == "turn-0"
    browser.press("1")
    browser.until("location.search === '?as=prover'")
    assert "You are" in browser.until("document.querySelector('.role-system').innerText")
    browser.press("0")
    browser.until("location.search === ''")
    browser.press("]")
    browser.until("location.pathname.endsWith('/2')")
    browser.press("?")
    assert browser.until("document.querySelector('dialog').open")
    browser.press("Escape")
    browser.until("!document.querySelector('dialog').open")
    browser.press("u")
    browser.until("location.pathname.endsWith('/dialogues')")


def test_the_page_is_dark_where_the_system_is_and_can_be_switched(
    browser: Chromium, address: str
) -> None:
    def is_dark() -> bool:
        colour = browser.run("getComputedStyle(document.body).backgroundColor")
        return sum(map(int, colour.strip("rgb()").split(","))) < 3 * 128

    browser.prefer("dark")
    browser.open(f"{address}/runs/first")
    assert is_dark()
    browser.press("t")
    assert not is_dark()
    browser.open(f"{address}/runs/second")
    assert not is_dark()
    browser.prefer("light")
    browser.run("localStorage.clear()")
    browser.open(f"{address}/runs/second")
    assert not is_dark()


def test_pages_follow_a_run_that_goes_on(browser: Chromium, address: str, folder: Path) -> None:
    params = make_text_params().to_dict()
    with Run.open(text_settings(folder), "going", params) as run:
        run.start()
        for i in (1, 2):
            run.log(i, {"mean_accuracy": 0.125 * i})
        browser.open(f"{address}/runs/going")
        browser.until("document.querySelector('.curve-legend b')?.innerText === '0.25'")
        assert "running" in browser.text()
        run.log(3, {"mean_accuracy": 0.375})
        browser.until("document.querySelector('.curve-legend b').innerText === '0.375'")
        browser.until("document.querySelector('.tile .big').innerText.startsWith('3')")
        run.finish("completed")
    browser.until("document.querySelector('.status-completed')")


def test_ten_thousand_dialogues_open_quickly(browser: Chromium, address: str) -> None:
    took = {}
    for name, query in (("all", ""), ("wrong", "?outcome=wrong"), ("last", "?page=200")):
        started = time.monotonic()
        browser.open(f"{address}/runs/many/dialogues{query}")
        took[name] = time.monotonic() - started
        paint = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime"
        took[f"{name}, first content"] = browser.until(paint) / 1000
        assert "of 10\u202f000" in browser.text()
    print(took)
    # A machine that is busy may take long; a page with all of them would take minutes.
    assert max(took.values()) < 30
    assert count(browser, "tr[data-step]") == 50


def test_nothing_of_a_hostile_dialogue_runs(browser: Chromium, address: str) -> None:
    for i in range(len(HOSTILE)):
        browser.open(f"{address}/runs/hostile/dialogues/train/1/{i}{'?as=verifier' * (i % 2)}")
        assert browser.run("window.hit") is None
        assert browser.run("document.querySelectorAll('main').length") == 1
    browser.open(f"{address}/runs/hostile/dialogues")
    assert count(browser, "tr[data-step]") == len(HOSTILE)
    assert browser.run("window.hit") is None


def test_an_exported_file_opens_from_the_disk_without_a_network(
    browser: Chromium, address: str, tmp_path: Path
) -> None:
    places = [f"d=hostile/train/1/{i}" for i in range(4)]
    browser.open(f"{address}/runs")
    text = browser.run(
        f"fetch('/export.html?d=first/train/1/0&{'&'.join(places)}').then(r => r.text())"
    )
    path = tmp_path / "export.html"
    path.write_text(text, encoding="utf-8")
    browser.go_offline()
    browser.requests.clear()
    browser.open(path.as_uri())
    browser.until("document.querySelectorAll('.panel polyline').length > 0")
    assert "It adds up all items." in browser.text()
    assert browser.run("window.hit") is None
    browser.press("j")
    assert browser.until("document.querySelector('.current')?.id") == "dialogue-1-turn-0"
    assert [each for each in browser.requests if not each.startswith(("file:", "data:"))] == []
