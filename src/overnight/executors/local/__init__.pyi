from overnight.executors.local.executor import LocalExecutor as LocalExecutor

__all__ = ["LocalExecutor"]
