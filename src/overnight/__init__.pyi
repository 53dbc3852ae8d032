from overnight.api.decorator import TaskFunction as TaskFunction
from overnight.api.decorator import task as task
from overnight.api.options import AddManyOptions as AddManyOptions
from overnight.api.options import AddOptions as AddOptions
from overnight.api.options import TaskOptions as TaskOptions
from overnight.api.orchestrator import ExecutionState as ExecutionState
from overnight.api.orchestrator import ProgressReport as ProgressReport
from overnight.api.orchestrator import TaskOrchestrator as TaskOrchestrator
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
from overnight.api.progress import progress as progress
from overnight.api.queue import FileQueue as FileQueue
from overnight.api.queue import QueueItem as QueueItem
from overnight.api.records import RunResult as RunResult
from overnight.api.records import TaskRecord as TaskRecord
from overnight.api.workflows import Flow as Flow
from overnight.api.workflows import StepOptions as StepOptions
from overnight.api.workflows import Workflow as Workflow
from overnight.api.workflows import WorkflowOptions as WorkflowOptions
from overnight.api.workflows import workflow as workflow
from overnight.core.asks import Permanent as Permanent
from overnight.core.asks import RateLimited as RateLimited
from overnight.core.asks import Retry as Retry
from overnight.core.errors import OvernightError as OvernightError
from overnight.core.step_context import Context as Context
from overnight.monitor.status_file import MonitoringStatus as MonitoringStatus
from overnight.store.copies.summary import Checkpoint as Checkpoint

__all__ = [
    "DEFAULT_CHECKPOINT_INTERVAL",
    "DEFAULT_TIMEOUT_SECONDS",
    "MAX_RETRIES",
    "AddManyOptions",
    "AddOptions",
    "AutonomousProcessor",
    "Checkpoint",
    "Context",
    "ExecutionState",
    "FileQueue",
    "Flow",
    "MonitoringStatus",
    "Overnight",
    "OvernightError",
    "Permanent",
    "ProcessingResult",
    "ProcessorState",
    "ProgressReport",
    "QueueItem",
    "RateLimited",
    "Retry",
    "RunResult",
    "RunSummary",
    "StepOptions",
    "TaskFailedError",
    "TaskFunction",
    "TaskOptions",
    "TaskOrchestrator",
    "TaskRecord",
    "WaitedTooLongError",
    "Workflow",
    "WorkflowOptions",
    "__version__",
    "progress",
    "task",
    "workflow",
]
__version__: str
