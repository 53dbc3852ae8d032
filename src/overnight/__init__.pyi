from overnight.api.decorator import TaskFunction as TaskFunction
from overnight.api.decorator import task as task
from overnight.api.options import AddManyOptions as AddManyOptions
from overnight.api.options import AddOptions as AddOptions
from overnight.api.options import TaskOptions as TaskOptions
from overnight.api.overnight import Overnight as Overnight
from overnight.api.overnight import TaskFailedError as TaskFailedError
from overnight.api.overnight import WaitedTooLongError as WaitedTooLongError
from overnight.api.processor import DEFAULT_CHECKPOINT_INTERVAL as DEFAULT_CHECKPOINT_INTERVAL
from overnight.api.processor import DEFAULT_TIMEOUT_SECONDS as DEFAULT_TIMEOUT_SECONDS
from overnight.api.processor import MAX_RETRIES as MAX_RETRIES
from overnight.api.processor import AutonomousProcessor as AutonomousProcessor
from overnight.api.processor import ProcessingResult as ProcessingResult
from overnight.api.processor import ProcessorState as ProcessorState
from overnight.api.processor import RunSummary as RunSummary
from overnight.api.queue import FileQueue as FileQueue
from overnight.api.queue import QueueItem as QueueItem
from overnight.api.records import RunResult as RunResult
from overnight.api.records import TaskRecord as TaskRecord
from overnight.core.asks import Permanent as Permanent
from overnight.core.asks import Retry as Retry
from overnight.core.errors import OvernightError as OvernightError
from overnight.store.copies.summary import Checkpoint as Checkpoint

__all__ = [
    "DEFAULT_CHECKPOINT_INTERVAL",
    "DEFAULT_TIMEOUT_SECONDS",
    "MAX_RETRIES",
    "AddManyOptions",
    "AddOptions",
    "AutonomousProcessor",
    "Checkpoint",
    "FileQueue",
    "Overnight",
    "OvernightError",
    "Permanent",
    "ProcessingResult",
    "ProcessorState",
    "QueueItem",
    "Retry",
    "RunResult",
    "RunSummary",
    "TaskFailedError",
    "TaskFunction",
    "TaskOptions",
    "TaskRecord",
    "WaitedTooLongError",
    "__version__",
    "task",
]
__version__: str
