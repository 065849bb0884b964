"""The kinds of datasets, each read in its owners' own layout. A new one is a module and a line."""

from ..plan import Kind
from .aflw import AFLW
from .celeba import CELEBA
from .hub import HUB
from .ls3dw import LS3DW
from .plain import AUTHORS, BOXES, FFHQ, FOLDER, LFW
from .vggface2 import VGGFACE2
from .wider import WIDER

KINDS: dict[str, Kind] = {
    "folder": FOLDER,
    "boxes": BOXES,
    "celeba": CELEBA,
    "wider": WIDER,
    "vggface2": VGGFACE2,
    "aflw": AFLW,
    "ls3dw": LS3DW,
    "lfw": LFW,
    "ffhq": FFHQ,
    "authors": AUTHORS,
    "hub": HUB,
}
