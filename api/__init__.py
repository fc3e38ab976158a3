"""The radar: a JSON API and a page over the stores; it never touches the flow."""
