"""Alerts and targets as they are written, and every mistake in them at its place."""

from __future__ import annotations

import pytest

from overnight.core.alert_conditions import FIGURES, Condition, parse_condition, shown
from overnight.core.alert_messages import Pace
from overnight.core.alert_settings import DEFAULT_RECOVER, DEFAULT_WAIT
from overnight.core.alerts import Policy
from overnight.core.configuration import parse
from overnight.core.errors import ConfigurationError

GOOD = """\
[alerts.disk]
when = "disk_free < 2GB"
targets = "ops"
[alerts.night]
on = ["run_finished", "task_held"]
targets = ["ops", "post"]
for = "1m"
recover = "2m"
remind = "none"
[targets.ops]
webhook = "https://hooks.example.org/${HOOK_TOKEN}"
headers = { Authorization = "Bearer ${HOOK_AUTH}" }
group = "0s"
hourly = 5
[targets.post]
mail = "me@example.org"
smtp = "mail.example.org:587"
password = "${MAIL_PASSWORD}"
hourly = "none"
[targets.shell]
command = ["notify-send", "overnight"]
[targets.log]
syslog = true
"""


def test_a_whole_file_is_understood() -> None:
    found = parse(GOOD)
    disk, night = found.alerts["disk"], found.alerts["night"]
    assert disk.when == Condition("disk_free", is_above=False, bound=2e9, text="disk_free < 2GB")
    assert disk.policy == Policy(wait=DEFAULT_WAIT, recover=DEFAULT_RECOVER)
    assert disk.targets == ("ops",)
    assert night.on == ("run_finished", "task_held")
    assert night.policy == Policy(wait=60.0, recover=120.0, remind=None)
    assert [target.kind for target in found.targets.values()] == ["webhook", "mail", "command", "syslog"]
    assert found.targets["ops"].pace == Pace(0.0, 5)
    assert found.targets["post"].pace.hourly is None
    assert "Bearer ${HOOK_AUTH}" in found.targets["ops"].texts()


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ('[alerts.a]\non = "task_hold"\ntargets = "ops"', "2:6", "did you mean 'task_held'?"),
        ('[alerts.a]\nwhen = "disk_fre < 2GB"\ntargets = "ops"', "2:8", "did you mean 'disk_free'?"),
        ('[alerts.a]\nwhen = "disk_free < much"\ntargets = "ops"', "2:21", "is no size"),
        ('[alerts.a]\nwhen = "disk_free"\ntargets = "ops"', "2:8", "is no condition"),
        ('[alerts.a]\nwhen = "error_rate > 20GB"\ntargets = "ops"', "2:22", "is no share"),
        ('[alerts.a]\non = "task_held"\nwhen = "cpu > 1%"\ntargets = "ops"', "1:9", "one of the two"),
        ('[alerts.a]\non = "task_held"', "1:9", "nobody would be told"),
        ('[alerts.a]\non = "task_held"\ntargets = ["opz"]', "3:12", "did you mean 'ops'?"),
        ('[alerts.a]\non = "run_finished"\nfor = "1m"\ntargets = "ops"', "3:1", "does not last"),
        ('[targets.b]\nwebhook = "ftp://x"', "2:11", "https://"),
        ('[targets.b]\nwebhook = "https://x/${TO KEN}"', "2:22", "begins the name of a variable"),
        ('[targets.b]\nmail = "a@b"', "1:10", "'smtp' is missing"),
        ('[targets.b]\ncommand = "x"\nsyslog = true', "1:10", "one way to be reached"),
        ('[targets.b]\nwebhook = "https://x"\nuser = "me"', "3:1", "unknown key 'user'"),
    ],
)
def test_each_mistake_is_told_where_it_stands(text: str, line: str, what: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse(f'{text}\n[targets.ops]\ncommand = "true"\n')
    assert f"overnight.toml:{line}: error:" in caught.value.message
    assert what in caught.value.message


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(ConfigurationError, match="4 mistakes"):
        parse('[alerts.a]\non = "x"\ntargets = "y"\nfor = "z"\n[targets.b]\n')


@pytest.mark.parametrize("figure", FIGURES)
def test_every_figure_can_be_compared_and_shown(figure: str) -> None:
    bound = {"ratio": "50%", "bytes": "1GB", "seconds": "2h", "number": "5"}[FIGURES[figure].unit]
    assert shown(figure, parse_condition(f"{figure}>{bound}").bound)


def test_a_figure_must_come_back_further_than_it_went() -> None:
    below = parse_condition("disk_free < 2GB")
    assert not below.holds(2.05e9, is_active=False)
    assert below.holds(2.05e9, is_active=True)
    assert not below.holds(2.2e9, is_active=True)
    above = parse_condition("error_rate > 20%")
    assert above.holds(0.195, is_active=True)
    assert not above.holds(0.195, is_active=False)


def test_a_bound_itself_counts_where_it_is_said_to() -> None:
    """`failed >= 1` that begins at two, and `network_up <= 0` that never does, would tell nobody of anything."""
    for words, at_the_bound in (("failed >= 1", True), ("failed > 1", False), ("network_up <= 0", True)):
        condition = parse_condition(words)
        assert condition.holds(condition.bound, is_active=False) is at_the_bound


@pytest.mark.parametrize(
    ("words", "clear"),
    [("network_up < 1", 1.0), ("network_up <= 0", 1.0), ("running < 1", 1.0), ("held >= 1", 0.0), ("held > 1", 1.0)],
)
def test_what_is_counted_in_whole_numbers_has_come_back_with_the_next_one(words: str, clear: float) -> None:
    assert not parse_condition(words).holds(clear, is_active=True)


def test_a_share_has_come_back_when_it_is_whole() -> None:
    for words in ("autonomy < 98%", "autonomy <= 98%"):
        assert not parse_condition(words).holds(1.0, is_active=True)
    assert parse_condition("autonomy < 98%").holds(0.99, is_active=True)
    assert parse_condition("throughput < 120%").holds(1.25, is_active=True)
