"""The command line: it joins the wings to the stages, and prints."""
