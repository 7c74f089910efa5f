"""Loops with progress bars: the argument that they get, and their number of iterations."""

from types import SimpleNamespace

from nip.trainers.core.progress import attach_progress_bar, total_iterations


class Loops:
    settings = SimpleNamespace(progress=False)
    num = 3

    @attach_progress_bar(lambda self: self.num)
    def first(self, iteration_context, word, *, number=0):
        iteration_context.set_description("first")
        iteration_context.set_metrics({"loss": 1.0})
        iteration_context.step(2)
        return iteration_context.total, word, number

    @attach_progress_bar(lambda self: self.num + 1)
    def second(self, iteration_context):
        return iteration_context.total

    def no_loop(self):
        """Not counted."""


class Replaced(Loops):
    @attach_progress_bar(lambda self: 10)
    def second(self, iteration_context):
        return iteration_context.total


def test_a_loop_gets_its_progress_bar_before_the_arguments_of_the_caller():
    assert Loops().first("a", number=5) == (3, "a", 5)
    assert Loops.first.__name__ == "first"


def test_the_iterations_of_all_loops_are_added_and_a_loop_can_be_replaced():
    assert total_iterations(Loops()) == 3 + 4
    assert total_iterations(Replaced()) == 3 + 10
