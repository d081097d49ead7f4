"""The verbs' work: they know the words, the decisions and the two ends' protocols, never a wing."""
