"""Scores a transformers folder on labelled videos, as the authors test, or otherwise.

One module answers one question.

- protocols: how does one test on a data set?
- lists: which videos, with which labels?
- videos: what are the frames of a file?
- views: which frames and pixels is a view made of?
- ways: by which way do a video's frames become views?
- models: what does the folder make of views?
- kept: which videos' logits are there already?
- working: how do all videos get theirs?
- merging: what is predicted from a video's views?
- accuracy: how often is that right?
- labelling: are the labels those of other classes?
- examples: which videos show what is right and wrong?
- comparing: where does a difference in accuracy come from?
- asked: what does config.yaml ask to be scored?
- results: what came out, for programs and for people?
- told: how did it go, for each variant of a run?
"""
