"The wing above all others: the checks of the exercises. A lesson's checks are loaded when somebody asks for one of them."
from . import core
from .core import check
