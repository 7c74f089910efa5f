"""Fine-tuning jobs in one process, without crashes."""

import asyncio
import dataclasses
import json

import pytest

from nip.errors import NipWarning, ResumeError
from nip.language_models.errors import (
    AuthenticationError,
    BadRequestError,
    BudgetExceededError,
    MalformedAnswerError,
    ModelConnectionError,
    ModelTimeoutError,
    OverloadError,
    QuotaError,
    RateLimitError,
    ServiceUnavailableError,
    UnknownModelError,
)
from nip.language_models.fine_tuning import (
    FineTuningDatasetError,
    FineTuningError,
    JobOptions,
)
from tests.language_models.fine_tuning.fake_service import (
    BASE_MODEL,
    FakeService,
    KillError,
    Process,
    live_once,
    plan,
)
from tests.utils.test_secret_formats import SECRETS

STOP = JobOptions(on_failure="stop")
SKIP = JobOptions(on_failure="skip")
FAILED = ("running", "failed")
DONE = ("running", "succeeded")


def test_a_job_goes_through_all_states_and_leaves_its_record(tmp_path):
    fate = ("validating_files", "queued", "running", "paused", "running", "succeeded")
    service = FakeService([fate])
    with (
        Process(tmp_path, service) as process,
        pytest.warns(NipWarning, match=r"paused the fine-tuning job job-1 of group 'verifier'"),
    ):
        (row,) = process.run().values()
    assert process.store.statuses == [
        *("PLANNED", "UPLOADED", "CREATING", "CREATED"),
        *("RUNNING", "PAUSED", "RUNNING", "SUCCEEDED"),
    ]
    assert (row.model, row.job_id, row.file_id) == (f"ft:{BASE_MODEL}:1", "job-1", "file-1")
    # OpenAI's price for this model is not that of another backend, whose price is unknown.
    assert (row.trained_tokens, row.cost, row.error) == (2_000_000, None, None)
    assert row.events[0]["data"] == {"train_loss": 0.5}
    assert (row.num_examples, row.backend, row.attempt) == (12, "fake", 0)


def test_the_request_contains_the_plan(tmp_path):
    service = FakeService()
    group = "the provers / of a debate, " + "x" * 60
    given = plan(group, seed=2**40 + 5, batch_size=4, learning_rate_multiplier=0.5)
    with Process(tmp_path, service, groups=(group,)) as process:
        process.run([given])
    (name, content), request = service.files[0], service.jobs[0]["request"]
    assert content == given.dataset.content
    assert given.dataset.sha256[:32] in name
    assert request.hyper_params == {
        "n_epochs": 3,
        "batch_size": 4,
        "learning_rate_multiplier": 0.5,
    }
    assert (request.base_model, request.method, request.seed) == (BASE_MODEL, "supervised", 5)
    assert len(request.suffix) <= 64
    assert request.metadata["nip_key"] == request.key
    assert request.metadata["nip_group"] == group
    assert request.metadata["nip_dataset_sha256"] == given.dataset.sha256
    assert len(request.metadata) <= 16
    assert all(len(k) <= 64 and len(v) <= 512 for k, v in request.metadata.items())


def test_the_dataset_lies_in_the_run_folder_and_is_the_same_in_every_folder(tmp_path):
    contents = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        live_once(tmp_path / name, FakeService())
        contents.append(
            (tmp_path / name / "fine_tuning" / "iteration_0001_verifier.jsonl").read_bytes()
        )
    assert contents[0] == contents[1]
    first = json.loads(contents[0].splitlines()[0])
    assert first["messages"][0] == {"role": "user", "content": "Question 0"}


def test_the_key_depends_on_all_that_defines_the_job(tmp_path):
    keys = set()
    variants = [
        {},
        {"seed": 8},
        {"n_epochs": 4},
        {"base_model": "other"},
        {"num_examples": 13},
        {"group": "prover"},
        {"run_id": "s"},
    ]
    for number, variant in enumerate(variants):
        service, folder = FakeService(), tmp_path / str(number)
        folder.mkdir()
        variant = dict(variant)
        run_id = variant.pop("run_id", "r")
        given = plan(**variant)
        with Process(folder, service, groups=(given.group,), run_id=run_id) as process:
            process.run([given])
        keys.add(service.jobs[0]["request"].key)
    assert len(keys) == len(variants)


def test_groups_wait_at_the_same_time(tmp_path):
    service = FakeService([("queued", "running", "succeeded")])
    with Process(tmp_path, service, groups=("a", "b", "c")) as process:
        rows = process.run()
        assert list(rows) == ["a", "b", "c"]
        assert len({row.model for row in rows.values()}) == 3
    # One after the other, the first group's last poll would come before the second's first.
    polls = [call for call in service.calls if call != "list_events"]
    assert polls[-6:] == ["get_job"] * 6
    assert len(service.jobs) == 3


def test_polls_become_rarer(tmp_path):
    service = FakeService([("running",) * 12 + ("succeeded",)])
    with Process(tmp_path, service) as process:
        process.run()
    expected = [10, 15, 22.5, 33.75, 50.625, 60, 60, 60, 60, 60, 60]
    assert process.time.pauses == pytest.approx(expected)


def test_a_failed_job_is_tried_again_under_another_key_with_the_same_file(tmp_path):
    service = FakeService([FAILED, DONE])
    with pytest.warns(NipWarning, match=r"attempt 1, failed\): the data are odd\. Another"):
        row = live_once(tmp_path, service)
    assert (row.attempt, row.status, row.model) == (1, "SUCCEEDED", f"ft:{BASE_MODEL}:2")
    first, second = (job["request"] for job in service.jobs)
    assert first.key != second.key
    assert first.training_file_id == second.training_file_id
    assert len(service.files) == 1


def test_when_all_attempts_fail_the_run_stops_and_a_new_start_makes_one_more(tmp_path):
    service = FakeService([FAILED])
    options = JobOptions(on_failure="retry", num_retries=2)
    with (
        pytest.warns(NipWarning, match="Another attempt"),
        pytest.raises(FineTuningError, match=r"attempt 3, failed\): the data are odd\. The run"),
    ):
        live_once(tmp_path, service, options=options)
    assert len(service.jobs) == 3
    service.fates = [FAILED, FAILED, FAILED, DONE]
    with pytest.warns(NipWarning, match=r"attempt 3.* Another attempt"):
        row = live_once(tmp_path, service, options=options)
    assert (row.attempt, row.status) == (3, "SUCCEEDED")
    assert len(service.jobs) == 4


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_a_skipped_job_leaves_the_group_its_model_also_after_a_new_start(tmp_path, status):
    service = FakeService([("running", status)])
    for _ in range(2):
        with pytest.warns(NipWarning, match=r"group 'verifier' .* The group keeps its model"):
            row = live_once(tmp_path, service, options=SKIP)
        assert (row.status, row.model) == (status.upper(), None)
    assert len(service.jobs) == 1


@pytest.mark.parametrize("status", ["failed", "cancelled"])
def test_stop_ends_the_run_and_cancels_no_other_group(tmp_path, status):
    service = FakeService([("running", status), ("running",) * 50 + ("succeeded",)])
    with (
        Process(tmp_path, service, STOP, groups=("a", "b")) as process,
        pytest.raises(FineTuningError, match=r"group 'a'.*start the run again for another attempt"),
    ):
        process.run()
    service.fates.append(DONE)
    with (
        Process(tmp_path, service, STOP, groups=("a", "b")) as process,
        pytest.warns(NipWarning, match="Another attempt"),
    ):
        rows = process.run()
    assert [row.status for row in rows.values()] == ["SUCCEEDED", "SUCCEEDED"]
    assert [rows["a"].attempt, rows["b"].attempt, len(service.jobs)] == [1, 0, 3]


def test_a_cancelled_job_says_so(tmp_path):
    with pytest.raises(FineTuningError, match=r"cancelled\): The service gave no reason"):
        live_once(tmp_path, FakeService([("cancelled",)]), options=STOP)


@pytest.mark.parametrize("status", ["running", "paused", "queued", "a_status_of_the_future"])
@pytest.mark.filterwarnings("ignore:The service has paused")
def test_at_the_deadline_a_slow_job_is_cancelled_and_tried_again(tmp_path, status):
    service = FakeService([(status,), DONE])
    options = JobOptions(on_failure="retry", num_retries=1, deadline_s=100)
    with (
        Process(tmp_path, service, options) as process,
        pytest.warns(NipWarning, match=r"cancelled\): not ended within 100 s\. Another attempt"),
    ):
        (row,) = process.run().values()
    assert (row.attempt, row.status) == (1, "SUCCEEDED")
    assert service.jobs[0]["fate"] == ["cancelled"]
    assert sum(process.time.pauses[:5]) == 100


def test_the_last_attempt_is_not_cancelled_at_its_deadline(tmp_path):
    service = FakeService([("running",)])
    options = JobOptions(on_failure="stop", deadline_s=50)
    with pytest.raises(FineTuningError, match=r"not ended within 50 s\. It continues"):
        live_once(tmp_path, service, options=options)
    assert "cancel_job" not in service.calls
    service.jobs[0]["fate"] = ["running", "succeeded"]
    row = live_once(tmp_path, service, options=options)
    assert (row.status, row.attempt, len(service.jobs)) == ("SUCCEEDED", 0, 1)


def test_at_the_deadline_a_skipped_job_is_cancelled(tmp_path):
    service = FakeService([("running",)])
    options = JobOptions(on_failure="skip", deadline_s=50)
    with pytest.warns(NipWarning, match=r"not ended within 50 s\. The group keeps"):
        row = live_once(tmp_path, service, options=options)
    assert (row.status, row.model) == ("CANCELLED", None)
    assert service.jobs[0]["fate"] == ["cancelled"]


def test_a_job_that_ends_while_it_is_being_cancelled_counts(tmp_path):
    service = FakeService([("running",)])

    def refuse():
        service.jobs[0]["fate"] = ["succeeded"]
        return BadRequestError("it has ended")

    class Late(list):
        def pop(self, index=-1):
            return refuse()

    service.faults["cancel_job"] = Late([None])
    options = JobOptions(on_failure="skip", deadline_s=50)
    assert live_once(tmp_path, service, options=options).status == "SUCCEEDED"


def test_a_job_that_cannot_be_cancelled_is_reported(tmp_path):
    service = FakeService([("running",)])
    service.fail("cancel_job", AuthenticationError("not allowed"))
    options = JobOptions(on_failure="skip", deadline_s=50)
    with (
        pytest.warns(NipWarning, match=r"could not be cancelled: not allowed"),
        pytest.warns(NipWarning, match=r"keeps its model"),
    ):
        assert live_once(tmp_path, service, options=options).status == "CANCELLED"


@pytest.mark.parametrize("name", ["upload", "create_job"])
@pytest.mark.parametrize(
    "error",
    [
        ModelTimeoutError("slow"),
        ModelConnectionError("cut"),
        OverloadError("503"),
        MalformedAnswerError("what?"),
    ],
    ids=lambda error: type(error).__name__,
)
@pytest.mark.parametrize("is_done", [True, False])
def test_after_an_answer_that_was_lost_the_service_is_searched_first(
    tmp_path, name, error, is_done
):
    service = FakeService()
    service.fail(name, ("after", error) if is_done else error)
    row = live_once(tmp_path, service)
    assert row.status == "SUCCEEDED"
    assert (len(service.files), len(service.jobs)) == (1, 1)
    find = {"upload": "find_file", "create_job": "find_job"}[name]
    assert service.calls.count(name) == (1 if is_done else 2)
    assert find in service.calls[service.calls.index(name) :]


def test_a_delayed_listing_creates_no_second_job(tmp_path):
    service = FakeService()
    service.is_slow_to_list = 3
    service.fail("create_job", ("after", ModelTimeoutError("slow")))
    assert live_once(tmp_path, service).status == "SUCCEEDED"
    assert len(service.jobs) == 1


def test_too_many_requests_are_waited_for_without_a_search(tmp_path):
    service = FakeService()
    service.fail("create_job", RateLimitError("later", retry_after=77.0))
    with Process(tmp_path, service) as process:
        with pytest.warns(NipWarning, match="the run waits for 77 s"):
            process.run()
        assert process.time.pauses[0] == 77.0
    assert "find_job" not in service.calls
    assert len(service.jobs) == 1


@pytest.mark.parametrize("error", [AuthenticationError("key"), QuotaError("money")])
@pytest.mark.parametrize("name", ["upload", "create_job", "get_job"])
def test_an_error_that_ends_the_run_leaves_a_resumable_state(tmp_path, name, error):
    service = FakeService()
    service.fail(name, error)
    with pytest.raises(type(error)):
        live_once(tmp_path, service)
    assert live_once(tmp_path, service).status == "SUCCEEDED"
    assert (len(service.files), len(service.jobs)) == (1, 1)


def test_a_long_outage_stops_the_run_which_can_be_resumed(tmp_path):
    service = FakeService()
    service.fail("create_job", *[OverloadError("503")] * 1000)
    message = "creation of the fine-tuning job of group 'verifier' after iteration 1 has failed for"
    with (
        pytest.warns(NipWarning, match="It is tried again until"),
        pytest.raises(ServiceUnavailableError, match=message),
    ):
        live_once(tmp_path, service)
    service.faults.clear()
    assert live_once(tmp_path, service).status == "SUCCEEDED"
    assert len(service.jobs) == 1


def test_a_refused_job_counts_as_failed(tmp_path):
    service = FakeService()
    service.fail("create_job", BadRequestError("this model cannot be trained"))
    with pytest.warns(NipWarning, match="cannot be trained. The group keeps its model"):
        row = live_once(tmp_path, service, options=SKIP)
    assert (row.status, row.error) == ("FAILED", "this model cannot be trained")
    assert service.jobs == []


def test_a_refused_job_stops_the_run_that_is_to_stop(tmp_path):
    service = FakeService()
    service.fail("create_job", BadRequestError("this model cannot be trained"))
    with pytest.raises(FineTuningError, match="cannot be trained"):
        live_once(tmp_path, service, options=STOP)
    with pytest.warns(NipWarning, match="Another attempt"):
        assert live_once(tmp_path, service, options=STOP).status == "SUCCEEDED"


def test_transient_errors_do_not_end_the_waiting(tmp_path):
    service = FakeService()
    service.fail("get_job", *[OverloadError("503"), ModelTimeoutError("slow")] * 10)
    service.fail("list_events", RateLimitError("later"))
    with pytest.warns(NipWarning, match="job-1 of group 'verifier' cannot be read"):
        assert live_once(tmp_path, service).status == "SUCCEEDED"


def test_a_job_missing_at_the_service_counts_as_failed(tmp_path):
    service = FakeService()
    service.fail("get_job", UnknownModelError("404"))
    with pytest.raises(FineTuningError, match="does not exist at the service"):
        live_once(tmp_path, service, options=STOP)


def test_missing_events_are_reported_and_do_not_stop_the_job(tmp_path):
    service = FakeService()
    service.fail("list_events", BadRequestError("unknown address"))
    with pytest.warns(NipWarning, match="events of the fine-tuning job job-1 could not be read"):
        row = live_once(tmp_path, service)
    assert (row.status, row.events) == ("SUCCEEDED", ())


def test_a_model_that_is_named_a_little_later_is_waited_for(tmp_path):
    service = FakeService()
    with Process(tmp_path, service) as process:
        backend = process.runner._backends["verifier"]
        show, seen = backend._show, []

        def nameless(index):
            job = show(index)
            seen.append(job.status)
            if seen.count("succeeded") > 2:
                return job
            return type(job)(job.id, job.status)

        backend._show = nameless
        (row,) = process.run().values()
    assert row.model == f"ft:{BASE_MODEL}:1"
    assert seen.count("succeeded") == 3


@pytest.mark.parametrize("num_examples", [0, 9])
def test_too_few_examples_make_no_job(tmp_path, num_examples):
    service = FakeService()
    with Process(tmp_path, service, groups=("few", "many")) as process:
        with pytest.warns(NipWarning, match=rf"'few' has {num_examples} fine-tuning.*at least 10"):
            rows = process.run([plan("few", num_examples), plan("many", 10)])
        assert list(rows) == ["many"]
    assert len(service.jobs) == len(service.files) == 1


def test_the_options_can_require_more_examples_than_the_service(tmp_path):
    service = FakeService()
    options = JobOptions(min_examples=12)
    with Process(tmp_path, service, options, groups=("few", "many")) as process:
        with pytest.warns(NipWarning, match=r"has 11 fine-tuning.*fine_tuning.min_examples is 12"):
            rows = process.run([plan("few", 11), plan("many", 12)])
        assert list(rows) == ["many"]


def test_the_service_can_require_more_examples_than_the_options(tmp_path):
    with (
        Process(tmp_path, FakeService(), JobOptions(min_examples=5)) as process,
        pytest.warns(NipWarning, match=r"has 9 fine-tuning.*the service requires at least 10"),
    ):
        assert process.run([plan(num_examples=9)]) == {}


def test_a_dataset_that_is_too_large_is_refused_before_it_is_sent(tmp_path):
    service = FakeService()
    with (
        Process(tmp_path, service) as process,
        pytest.raises(FineTuningDatasetError, match=r"bytes, but the service allows at most"),
    ):
        process.run([plan(num_examples=20_000)])
    assert service.calls == []


def test_other_examples_for_the_same_job_are_refused(tmp_path):
    service = FakeService()
    live_once(tmp_path, service)
    with (
        Process(tmp_path, service) as process,
        pytest.raises(ResumeError, match="different examples"),
    ):
        process.run([plan(num_examples=13)])
    assert len(service.jobs) == 1


def test_a_dataset_that_was_changed_on_disk_is_not_uploaded(tmp_path):
    service = FakeService()
    service.fail("upload", AuthenticationError("key"))
    with pytest.raises(AuthenticationError):
        live_once(tmp_path, service)
    (tmp_path / "fine_tuning" / "iteration_0001_verifier.jsonl").write_text("mine")
    with pytest.raises(ResumeError, match=r"iteration_0001_verifier\.jsonl is missing or differs"):
        live_once(tmp_path, service)
    assert service.files == []


def test_nothing_is_done_for_an_iteration_without_jobs(tmp_path):
    with Process(tmp_path, FakeService()) as process:
        assert asyncio.run(process.runner.wait(4)) == {}


def budget_of(dollars):
    """Return what reserves 10 dollars for each running job, and counts 4 for one that succeeded."""
    dollars_of = {"SUCCEEDED": 4, **dict.fromkeys(("PLANNED", "UPLOADED", "FAILED"), 0)}

    def reserve(process, row):
        others = [job for job in process.database.jobs.all() if job.key != row.key]
        if sum(dollars_of.get(job.status, 10) for job in others) + 10 > dollars:
            raise BudgetExceededError("too much")

    return reserve


def test_a_job_that_does_not_fit_into_the_budget_waits_for_those_that_run(tmp_path):
    service = FakeService()
    with (
        Process(tmp_path, service, groups=("a", "b", "c"), reserve=budget_of(18)) as process,
        pytest.warns(NipWarning, match=r"it waits for the jobs that are running \('[ab]'\)"),
    ):
        rows = process.run()
    assert [row.status for row in rows.values()] == ["SUCCEEDED"] * 3
    assert (len(service.jobs), len(service.files)) == (3, 3)
    # The second job is created when the first has ended.
    assert service.calls.index("list_events") < service.calls.index("create_job", 4)


def test_a_job_that_does_not_fit_when_all_have_ended_stops_the_run_until_it_does(tmp_path):
    service = FakeService()
    with Process(tmp_path, service, groups=("a", "b", "c"), reserve=budget_of(17)) as process:
        with pytest.warns(NipWarning, match="it waits"), pytest.raises(BudgetExceededError):
            process.run()
        statuses = [row.status for row in process.store.of_iteration(1)]
    assert statuses == ["SUCCEEDED", "SUCCEEDED", "UPLOADED"]
    with Process(tmp_path, service, groups=("a", "b", "c"), reserve=budget_of(18)) as process:
        assert [row.status for row in process.run().values()] == ["SUCCEEDED"] * 3
    assert len(service.jobs) == 3


def test_a_process_killed_while_a_job_waits_for_the_budget_pays_nothing_twice(tmp_path):
    service = FakeService()
    with Process(tmp_path, service, groups=("a", "b"), reserve=budget_of(14)) as process:
        process.store.kill_after = "RUNNING"
        with pytest.warns(NipWarning, match="it waits"), pytest.raises(KillError):
            process.run()
    assert len(service.jobs) == 1
    with (
        Process(tmp_path, service, groups=("a", "b"), reserve=budget_of(14)) as process,
        pytest.warns(NipWarning, match="it waits"),
    ):
        assert [row.status for row in process.run().values()] == ["SUCCEEDED"] * 2
    assert (len(service.jobs), len(service.files)) == (2, 2)


def test_another_attempt_waits_for_the_budget_too(tmp_path):
    service = FakeService([FAILED, ("running",) * 9 + ("succeeded",), DONE])
    with (
        Process(tmp_path, service, groups=("a", "b"), reserve=budget_of(19)) as process,
        pytest.warns(NipWarning, match="it waits"),
        pytest.warns(NipWarning, match="Another attempt"),
    ):
        rows = process.run()
    assert [(row.attempt, row.status) for row in rows.values()] == [
        (1, "SUCCEEDED"),
        (0, "SUCCEEDED"),
    ]
    assert len(service.jobs) == 3


def test_a_job_that_does_not_end_in_time_stops_the_wait_for_the_budget(tmp_path):
    service = FakeService([("running",)])
    options = JobOptions(deadline_s=100)
    with (
        Process(tmp_path, service, options, groups=("a", "b"), reserve=budget_of(19)) as process,
        pytest.warns(NipWarning, match="it waits"),
        pytest.raises(BudgetExceededError),
    ):
        process.run()
    assert len(service.jobs) == 1
    assert "cancel_job" not in service.calls


def test_what_a_service_says_of_a_job_is_stored_without_keys(tmp_path):
    key, _ = SECRETS["GitHub Token"]
    service = FakeService([FAILED])
    with Process(tmp_path, service, options=SKIP) as process:
        backend = process.runner._backends["verifier"]
        show = backend._show

        async def list_events(job_id):
            return [{"level": "error", "message": f"refused {key}", "data": {"token": [key]}}]

        backend.list_events = list_events
        backend._show = lambda index: dataclasses.replace(show(index), error=f"refused {key}")
        with pytest.warns(NipWarning, match=r"refused \[key removed\]"):
            process.run()
        (row,) = process.database.jobs.all()
    assert row.error == "refused [key removed]"
    assert row.events[0]["message"] == "refused [key removed]"
    assert row.events[0]["data"] == {"token": ["[key removed]"]}
