"""How long does it take, and how much memory?  Each figure beside one that anyone can measure."""
