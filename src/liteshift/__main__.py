"""`python -m liteshift` is the `liteshift` command."""

from liteshift.cli.main import main

main()
