"""The accuracy of a folder on labelled videos, as the authors test or as users would."""
