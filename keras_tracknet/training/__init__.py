"""From labelled clips to weights."""
