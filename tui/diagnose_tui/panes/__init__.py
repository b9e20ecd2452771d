"""The panes of the detail area, in the order of their tabs. A literal tuple: the keys 1 to 8 open them."""
