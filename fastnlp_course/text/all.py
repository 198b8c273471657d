"`from fastnlp_course.text.all import *`: what `fastnlp_course.all` gives, under the address that code of the fast.ai course uses."
from ..all import *
