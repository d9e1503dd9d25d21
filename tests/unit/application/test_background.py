from application.background import Backoff


def test_each_failure_in_a_row_doubles_the_delay_up_to_the_maximum() -> None:
    backoff = Backoff(0.5, 3, jitter=lambda: 0.0)
    assert [backoff.fail() for _ in range(5)] == [0.5, 1, 2, 3, 3]
    assert backoff.failures == 5


def test_a_success_starts_again_with_the_first_delay() -> None:
    backoff = Backoff(1, 30, jitter=lambda: 0.0)
    backoff.fail()
    backoff.fail()
    backoff.reset()
    assert (backoff.failures, backoff.fail()) == (0, 1)


def test_jitter_adds_up_to_a_quarter_and_never_shortens_the_delay() -> None:
    assert Backoff(1, 30, jitter=lambda: 1.0).fail() == 1.25
    assert 1 <= Backoff(1, 30).fail() <= 1.25


def test_thousands_of_failures_do_not_overflow() -> None:
    backoff = Backoff(1, 30, jitter=lambda: 0.0)
    assert {backoff.fail() for _ in range(2000)} == {1, 2, 4, 8, 16, 30}
