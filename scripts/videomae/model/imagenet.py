"""ImageNet's mean and standard deviation (R, G, B), by which the authors normalise pixels.

Source: their kinetics.py and ssv2.py, and engine_for_pretraining.py, which reverses it.
"""

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
