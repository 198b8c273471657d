"The door that code for `fastai.vision.all` expects."
