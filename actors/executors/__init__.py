"""How a member takes a turn. One executor so far: `python`, an async callable or a class."""
