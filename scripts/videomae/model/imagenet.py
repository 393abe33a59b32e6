"""How do the authors normalise pixels?  By ImageNet's mean and standard deviation, R, G, B.

Source: their kinetics.py and ssv2.py, and the un-normalising in engine_for_pretraining.py.
"""

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)
