"""`train`: from a configuration and datasets to a task, a loop and a run folder.

The training yields ticks and draws nothing; the caller prints, plots or stops.
"""

from .build import MIXED as MIXED
from .build import OF_PAIRS as OF_PAIRS
from .build import PAIRED as PAIRED
from .build import UNPAIRED as UNPAIRED
from .build import jpeg_of as jpeg_of
from .build import new_loop as new_loop
from .start import train as train
from .ticks import intervals as intervals
from .ticks import run as run
