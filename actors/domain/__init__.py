"""Values and decisions of a mob: pure, without I/O, clock, thread or randomness.

Values, lowest floor first: `errors`; `identity`; `wiring`; `definition`; `places`;
`definition_file`, `events`; `roster`; `planning`. Import the module you need, never this package.
"""
