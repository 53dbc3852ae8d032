from overnight.core.asks import Permanent as Permanent
from overnight.core.asks import Retry as Retry
from overnight.core.errors import OvernightError as OvernightError

__all__ = ["OvernightError", "Permanent", "Retry", "__version__"]
__version__: str
