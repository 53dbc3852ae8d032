"""The keeper of one slot: starts what is to run, watches it, and lets nothing of it outlive its end.

Single-threaded and without anything of the user's inside, so that whatever a task does, this goes
on. It is the subreaper of its slot: every process that loses its parents becomes its child. When the
engine dies its socket ends; then the keeper kills everything below it, and goes. A process whose job is to
clean up must not be killed together with its parent, so nothing else tells it.

Commands run one at a time; the next frame is read when the last outcome is on its way, so what has
not been read can be taken back. Functions run in a runner of their own (see `runner_care`).
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections import deque
from collections.abc import Callable

import msgspec

from overnight.core.endings import Ended, Ending
from overnight.core.limits import Usage
from overnight.core.task import Action
from overnight.core.verdict import EXIT_DONE_AND_STOP
from overnight.executors.contract import Spec
from overnight.executors.local import control_file
from overnight.executors.local.command import RefusedError, Template
from overnight.executors.local.families import Families
from overnight.executors.local.marks import Mark, Ring, SlotMarks, State
from overnight.executors.local.notify import Notifications
from overnight.executors.local.pipes import Pipes
from overnight.executors.local.place import CLOSE_GRACE, EXIT_STUCK, Place
from overnight.executors.local.runner_care import RunnerCare
from overnight.executors.local.runner_watch import LOOK
from overnight.executors.local.running_command import RunningCommand, readable
from overnight.executors.local.segments import Recording, Segments
from overnight.executors.local.spool import Spool
from overnight.executors.local.walls import Walls
from overnight.executors.local.wire import (
    Cancel,
    Close,
    Freeze,
    GoOn,
    HasFrozen,
    Line,
    Message,
    Ping,
    Report,
    Resume,
    Run,
    adopt,
    encode,
)
from overnight.host import namespaces
from overnight.host.clock import SystemClock
from overnight.host.kept import honour
from overnight.host.processes import set_subreaper
from overnight.host.purge import purge, strays
from overnight.host.tree import measure

#: Actions remembered; the oldest is forgotten first.
ACTIONS = 64
#: Bytes taken from a pipe before somebody else has a turn.
A_TURN = 1024 * 1024
#: Seconds an outcome waits for others while more commands are at hand: being told of each costs the engine
#: as much as a short command costs us.
GATHER = 0.02

_clock = SystemClock()


class Keeper:
    """One slot's keeper.

    Args:
        place: Where it stands.
    """

    def __init__(self, place: Place) -> None:
        self._notifications = Notifications(place.in_spool(f"notify-{place.slot}"))
        self.place = place = msgspec.structs.replace(place, notify=self._notifications.address)
        spill = os.fsdecode(place.spool)
        self._control = Line(adopt(place.control), spill)
        self._commands = Line(adopt(place.commands), spill)
        os.set_inheritable(place.marks, False)  # noqa: FBT003 - by position
        self.marks = SlotMarks(place.marks, place.slot)
        self.segments = Segments(os.fsdecode(place.output), place.slot)
        self.spool = Spool(place.in_spool(f"s{place.slot}-{place.serial}-k"))
        #: What the functions of this slot write into, and what the command does that runs; of none there is none.
        self._of_functions = control_file.of_functions(place)
        self._control_file = b""
        control_file.clear_away(place)
        self._templates: dict[int, Template] = {}
        self._outgoing: deque[bytes] = deque()
        #: Outcomes of commands that are spooled and not yet told, the place after the last, and when to tell.
        self._gathered: list[Ended] = []
        self._upto = 0
        self._tell_at: float | None = None
        self._pipes = Pipes()
        self.walls = Walls(place.walls)
        self._families = Families(self)
        self._null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        self._running: RunningCommand | None = None
        #: When to look for orphans that have ended, monotonic; of interest while a command runs.
        self._wait_for_orphans_at = 0.0
        self._closing = False
        #: A command has asked that the queue stops; nothing begins until the engine has heard of it.
        self._pausing = False
        self._poll = select.poll()
        self._handlers: dict[int, Callable[[], None]] = {}
        self.runners = RunnerCare(self, Line(adopt(place.calls), spill))
        self.watch(self._notifications.fileno(), self._notifications.take)
        self.watch(self._control.fileno(), self._on_control)
        self.watch(self._commands.fileno(), self._on_commands)
        self.watch_output(self._pipes)

    # -- the loop ----------------------------------------------------------------------------

    def serve(self) -> None:
        """Work until the engine closes us or dies."""
        try:
            while not (self._closing and self._running is None and self.runners.idle):
                ready = [(number, self._handlers[number]) for number, _ in self._poll.poll(self._patience())]
                for number, handler in ready:
                    # One handler may close what another was called for, and the number be given again.
                    if self._handlers.get(number) is handler:
                        handler()
                self._look()
        except (EOFError, ConnectionError):
            pass  # the engine is gone
        finally:
            while purge(seconds=10.0):
                pass  # what is stuck in the kernel is waited for: nobody else would
            self._say_that_it_is_over()

    def _say_that_it_is_over(self) -> None:
        """The engine has gone, and what ran is dead. Whoever comes next knows that it was not the attempt's doing."""
        if self._running is not None:
            self.marks.orphan(Ring.KEEPER, self._running.position)
        if not self.runners.idle:
            self.marks.orphan(Ring.RUNNER, self.marks.position())

    def _give_up(self) -> None:
        """Something cannot be ended. The engine knows how to go on without us, and we do not."""
        self._tell_gathered()
        os._exit(EXIT_STUCK)

    def watch(self, descriptor: int, handler: Callable[[], None]) -> None:
        """Call `handler` whenever there is something to read."""
        self._handlers[descriptor] = handler
        self._poll.register(descriptor, select.POLLIN)

    def unwatch(self, descriptor: int) -> None:
        """Stop watching."""
        del self._handlers[descriptor]
        self._poll.unregister(descriptor)

    def watch_output(self, pipes: Pipes) -> None:
        """Take what is printed into these."""
        self.watch(pipes.stdout, self._on_output)
        self.watch(pipes.stderr, self._on_output)

    def _patience(self) -> float | None:
        """Milliseconds until something is due."""
        running = self._running
        dues = [running.due, self._wait_for_orphans_at] if running else []
        dues += (self.runners.due(), self._tell_at)
        known = [due for due in dues if due is not None]
        # Rounded up: waking a little early would only mean to look twice.
        return max(0.0, (min(known) - _clock.monotonic()) * 1000 + 1) if known else None

    def _look(self) -> None:
        """Do what is due."""
        moment = _clock.monotonic()
        running = self._running
        if running is not None and running.due is not None and moment >= running.due:
            if running.over:
                self._settle()
            else:
                running.act(moment, self)
        if self._running is not None and moment >= self._wait_for_orphans_at:
            self._wait_for_orphans_at = moment + LOOK
            strays((*self.pids(), *self.others()))
        stuck_since = running.stuck_since if running is not None else self.runners.stuck_since
        if stuck_since is not None and moment > stuck_since + self.place.stuck_after:
            self._give_up()
        if self._tell_at is not None and moment >= self._tell_at:
            self._tell_gathered()
        self.runners.look(moment)

    @property
    def busy(self) -> bool:
        """Whether a command runs."""
        return self._running is not None

    def others(self) -> tuple[int, ...]:
        """Children that do not belong to the command that runs."""
        return (*self.runners.pids(), *self._families.wardens)

    def measure(self, exact_above: int | None) -> Usage:
        """What the tree of the attempt uses; from so many bytes on shared memory is counted once."""
        leave = self.others() if self.busy else self._families.wardens
        return measure(os.getpid(), leave, exact_above=exact_above)

    def signs(self) -> object:
        """Another one whenever the task has reported something."""
        stamps = [control_file.stamp(path) for path in (self._of_functions, self._control_file)]
        return stamps, self._notifications.count

    def pids(self) -> tuple[int, ...]:
        """The command that runs, whose end nobody else may take."""
        return (self._running.pid,) if self._running is not None and not self._running.over else ()

    # -- the engine --------------------------------------------------------------------------

    def tell(self, message: Message) -> None:
        """Send to the engine, now or as soon as it has room for it."""
        self._outgoing.append(encode(message))
        self._send()

    def _send(self) -> None:
        while self._outgoing:
            if not self._control.send(self._outgoing[0]):
                break
            self._outgoing.popleft()
        events = select.POLLIN | select.POLLOUT if self._outgoing else select.POLLIN
        self._poll.modify(self._control.fileno(), events)

    def _on_control(self) -> None:
        if self._outgoing:
            self._send()
        message = self._control.receive()
        if isinstance(message, Cancel):
            self._cancel(message)
        elif isinstance(message, Freeze):
            self._freeze(message)
        elif isinstance(message, Close):
            self._close()
        elif isinstance(message, Resume):
            self.runners.resume(message.pause)
        elif isinstance(message, GoOn):
            self._go_on()
        elif isinstance(message, Ping):
            self.tell(message)

    def _go_on(self) -> None:
        if self._pausing and not self._closing:
            self._pausing = False
            self._next_command()
            if self._running is None:
                self.watch(self._commands.fileno(), self._on_commands)

    def _cancel(self, cancel: Cancel) -> None:
        running = self._running
        if cancel.ring == Ring.RUNNER:
            self.runners.cancel(cancel)
        elif running is not None and running.key == (cancel.task_id, cancel.attempt):
            running.end(Ending.CANCELLED, cancel.grace, _clock.monotonic())

    def _freeze(self, freeze: Freeze) -> None:
        running = self._running
        if freeze.ring == Ring.RUNNER:
            done = self.runners.freeze(freeze)
        elif running is not None and running.key == (freeze.task_id, freeze.attempt):
            done = running.freeze(self) if freeze.frozen else running.thaw()
        else:
            return
        if done:
            self.tell(HasFrozen(freeze.task_id, freeze.attempt, freeze.frozen))

    def _close(self) -> None:
        self._closing = True
        if self._running is not None:
            self._running.end(Ending.CANCELLED, CLOSE_GRACE, _clock.monotonic())
        elif not self._pausing:
            self.unwatch(self._commands.fileno())
        self.runners.close(CLOSE_GRACE)

    # -- commands ----------------------------------------------------------------------------

    def _on_commands(self) -> None:
        self._next_command()
        if self._running is not None:
            self.unwatch(self._commands.fileno())

    def _next_command(self) -> None:
        """Read frames until one has led to a process, or there are none."""
        while self._running is None and not self._closing:
            message = self._commands.receive()
            if not isinstance(message, Run):
                self._tell_gathered()
                os.chdir("/")  # an idle keeper holds no directory of anybody's
                return
            self.spool.committed(message.committed)
            template = self._template(message.action_id, message.action)
            for step, spec in enumerate(message.specs):  # always one, by agreement with the engine
                self._start(spec, template, message.first + step)

    def _template(self, action_id: int, action: msgspec.Raw) -> Template:
        template = self._templates.get(action_id)
        if template is None:
            if len(self._templates) >= ACTIONS:
                del self._templates[next(iter(self._templates))]
            template = Template(msgspec.msgpack.decode(action, type=Action), self.place)
            self._templates[action_id] = template
        return template

    def _start(self, spec: Spec, template: Template, position: int) -> None:
        wall, start = _clock.now(), _clock.monotonic()
        mark = Mark(
            spec.task_id, spec.attempt, 0, wall, start, template.limit, template.action.kill_grace, 0.0, State.STARTED
        )
        self.marks.begin(Ring.KEEPER, position, mark)
        self.runners.commands_begin()
        self._control_file = control_file.of_attempt(self.place, spec)
        self.walls.set(template.limits)
        pipes = self._pipes
        try:
            if template.action.keep_children:
                pipes = self._families.pipes()
            main = template.spawn(spec, self._null, pipes, wall)
        except RefusedError as error:
            # Its warden may have started it and died before it could say so, or it could not be watched.
            if purge(self.others(), seconds=self.place.stuck_after):
                self._give_up()
            self._families.close(pipes)
            self._report(refusal(spec.task_id, spec.attempt, wall, error), position)
            return
        if template.action.keep_children:
            start = _clock.monotonic()  # until its warden was there is none of its time
        recording = Recording(self.segments, spec.task_id, spec.attempt, template.action.keep_output)
        self._running = RunningCommand(
            main, pipes, spec, template, position=position, wall=wall, start=start, recording=recording
        )
        self._wait_for_orphans_at = start + LOOK
        self.watch(main.fileno(), self._on_exit)

    def _on_output(self) -> None:
        now = _clock.now()
        running = self._running
        if running is not None:
            running.pipes.drain(lambda stream, data: running.printed(stream, data, now), most=A_TURN)
        else:  # nothing of a task is alive; this came from beyond our reach
            self._pipes.drain(lambda _stream, _data: None, most=A_TURN)

    def _on_exit(self) -> None:
        running = self._running
        assert running is not None  # noqa: S101 - watched only while it runs
        self.unwatch(running.main.fileno())
        running.main_ended(_clock.monotonic())
        self._settle()

    def _settle(self) -> None:
        """The main process has ended; when nothing else is left the outcome goes up, and the next one may start."""
        running = self._running
        assert running is not None  # noqa: S101 - called only while it runs
        if not running.gone(_clock.monotonic(), self):
            return
        if running.failed and self.walls.met():
            running.met_a_wall()
        ended = running.outcome(control_file.take_retry_at(self._control_file), _clock.now())
        self._running = None
        self._report(ended, running.position)
        self._families.part(running, self._control_file)
        self._pausing = ended.exit_code == EXIT_DONE_AND_STOP
        if self._closing or self._pausing:
            self._tell_gathered()
            return
        self._next_command()
        if self._running is None:
            self.watch(self._commands.fileno(), self._on_commands)

    def _report(self, ended: Ended, position: int) -> None:
        """Spool first, then mark, then tell: whatever dies in between, the outcome is known once."""
        moment = _clock.monotonic()
        if self.spool.append(encode(ended)):
            self.marks.finish(Ring.KEEPER, position, end=moment, state=State.SPOOLED)
        self._gathered.append(ended)
        self._upto = position + 1
        if self._tell_at is None:
            self._tell_at = moment + GATHER

    def _tell_gathered(self) -> None:
        if self._gathered:
            self.tell(Report(self._upto, self._gathered))
        self._gathered, self._tell_at = [], None


def refusal(task_id: int, attempt: int, wall: float, error: RefusedError) -> Ended:
    """The outcome of an attempt that could not be started."""
    return Ended(
        task_id, attempt, Ending.REFUSED, wall, 0.0, error=readable(error.words), error_class=error.error_class
    )


def main() -> None:
    """Be the keeper whose place the last argument describes."""
    place = msgspec.json.decode(sys.argv[1], type=Place)
    honour(place.cookie)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    # An engine whose parent ignored it would pass that on, and the kernel would keep no status for us.
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    set_subreaper()
    if place.first_of_namespace:
        namespaces.enter()
    time.sleep(place.pause)
    try:
        keeper = Keeper(place)
    except FileNotFoundError:
        if os.path.exists(place.home):  # noqa: PTH110 - bytes
            raise
        sys.exit(1)  # it was removed meanwhile; the engine says so
    keeper.serve()
