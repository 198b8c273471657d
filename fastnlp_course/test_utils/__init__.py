"`from fastnlp_course.test_utils import *`: what code finds in `fastai.test_utils`."
from ..training.synthetic import *
