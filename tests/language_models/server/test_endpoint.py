"""Options of the mock API are validated."""

import pytest

from nip.errors import ParameterError
from nip.language_models.server import EndpointOptions
from nip.language_models.server.endpoint import Endpoint


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"job_polls": -1}, "job_polls must be a number from 0 to 1e.09, got -1"),
        ({"latency_s": float("inf")}, "latency_s .* got inf"),
        ({"stall_s": float("nan")}, "stall_s .* got nan"),
        ({"fault_rate": 1.1}, "fault_rate must be a number from 0 to 1, got 1.1"),
    ],
)
def test_numbers_out_of_range_are_refused(options, message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        EndpointOptions(**options)


def test_equal_requests_are_counted_and_the_counters_are_shared() -> None:
    endpoint = Endpoint(EndpointOptions(faults=("server_error?first=2",), fault_rate=1.0))
    met = [endpoint.choose_fault("chat", b"digest", "m") for _ in range(3)]
    assert [fault.name if fault else None for fault in met] == ["server_error"] * 2 + [None]
    counters = endpoint.counters()
    assert (counters.num_requests, counters.faults) == (3, {"server_error": 2})
    endpoint.close()
