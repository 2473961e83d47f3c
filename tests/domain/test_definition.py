"""Definitions: what a mob file may say, and the exact text of every complaint about it."""

from __future__ import annotations

from datetime import date
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from actors.domain.definition import (
    Limits,
    MemberSpec,
    MobDefinition,
    Profile,
    ProfileLimits,
    Scalar,
    StoreSettings,
    Wiring,
    is_call,
)
from actors.domain.definition_file import definition_from, parse_definition
from actors.domain.errors import DefinitionError, MemberNotFound, ProfileNotFound
from actors.domain.wiring import Edge
from transport.message import FrozenMap

WHOLE = """
id = "review"

[profiles.lead]
call = "panel:Lead"

[profiles.risk]
executor = "python"
call = "panel.reviewers:Risk.turn"
isolation = "thread"
options = { threshold = 10, ratio = 0.5, strict = true, title = "Risk", rules = ["a", 1, 2.5] }
labels = { team = "core" }
limits = { turn_timeout_s = 60, attempts = 2, inbox = 10 }

[[members]]
name = "lead"
profile = "lead"

[[members]]
name = "risk"
profile = "risk"
count = 2
labels = { shift = "day" }

[wiring]
orchestrator = "lead"
auto_wire_orchestrator = true
role_wiring = [["lead", "risk"], ["risk", "risk"]]

[[edges]]
a = "risk-1"
b = "lead"

[store]
durability = "normal"

[limits]
drain_timeout_s = 5
resync_s = 2.5
restarts = 0
restart_window_s = 30
"""

SMALL: dict[str, Any] = {  # Any: a document, bent by each test
    "id": "m",
    "profiles": {"lead": {"call": "m:f"}, "risk": {"call": "m:g"}},
    "members": [{"name": "lead", "profile": "lead"}, {"name": "w-1", "profile": "risk"}],
}


OPTIONS: dict[str, Scalar | tuple[Scalar, ...]] = {
    "threshold": 10,
    "ratio": 0.5,
    "strict": True,
    "title": "Risk",
    "rules": ("a", 1, 2.5),
}


def complaint(data: object) -> DefinitionError:
    with pytest.raises(DefinitionError) as caught:
        definition_from(data, source="mob.toml")  # type: ignore[arg-type]  # what users may pass
    return caught.value


def test_whole_file_is_read() -> None:
    assert parse_definition(WHOLE, source="mob.toml") == MobDefinition(
        id="review",
        profiles=FrozenMap(
            {
                "lead": Profile(name="lead", call="panel:Lead"),
                "risk": Profile(
                    name="risk",
                    executor="python",
                    call="panel.reviewers:Risk.turn",
                    isolation="thread",
                    options=FrozenMap(OPTIONS),
                    labels=FrozenMap({"team": "core"}),
                    limits=ProfileLimits(turn_timeout_s=60.0, attempts=2, inbox=10),
                ),
            }
        ),
        members=(
            MemberSpec(name="lead", profile="lead"),
            MemberSpec(name="risk-1", profile="risk", labels=FrozenMap({"shift": "day"})),
            MemberSpec(name="risk-2", profile="risk", labels=FrozenMap({"shift": "day"})),
        ),
        wiring=Wiring(
            orchestrator="lead",
            auto_wire_orchestrator=True,
            role_wiring=(("lead", "risk"), ("risk", "risk")),
        ),
        edges=(Edge.of("lead", "risk-1"),),
        store=StoreSettings(durability="normal"),
        limits=Limits(drain_timeout_s=5.0, resync_s=2.5, restarts=0, restart_window_s=30.0),
    )


def test_smallest_file_has_the_documented_defaults() -> None:
    definition = parse_definition('id = "m"\n[profiles.w]\ncall = "m:f"', source="mob.toml")

    assert (definition.members, definition.edges) == ((), ())
    assert definition.store.durability == "full"
    assert definition.limits == Limits(
        drain_timeout_s=30.0, resync_s=10.0, restarts=5, restart_window_s=60.0
    )
    assert definition.wiring == Wiring(
        orchestrator=None, auto_wire_orchestrator=False, role_wiring=()
    )
    profile = definition.profile("w")
    assert (profile.executor, profile.isolation) == ("python", "async")
    assert profile.limits == ProfileLimits(turn_timeout_s=120.0, attempts=5, inbox=1000)
    assert type(definition.limits.drain_timeout_s) is float


def test_byte_order_mark_before_a_file_does_not_count() -> None:
    assert parse_definition('\ufeffid = "m"', source="mob.toml").id == "m"


def test_any_mapping_with_tuples_is_read_like_toml() -> None:
    data = MappingProxyType(
        {**SMALL, "members": tuple(MappingProxyType(each) for each in SMALL["members"])}
    )

    assert definition_from(data) == definition_from(SMALL)


def test_dict_names_itself_as_source() -> None:
    with pytest.raises(DefinitionError) as caught:
        definition_from({})

    assert str(caught.value) == "<dict>: id: missing"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            'id = "m"\nname lead\n',
            "mob.toml: line 2, column 6: not TOML: Expected '=' after a key in a key/value pair",
        ),
        ('id = "m"\nid = "n"\n', "mob.toml: line 2, column 9: not TOML: Cannot overwrite a value"),
        ('id = "m', "mob.toml: end of document: not TOML: Unterminated string"),
        ("id = " + "[" * 100_000, "mob.toml: not TOML: nested too deeply"),
    ],
)
def test_text_that_is_not_toml_names_the_line(text: str, message: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        parse_definition(text, source="mob.toml")

    assert str(caught.value) == message


PROFILE_KEYS = "known keys are: call, executor, isolation, labels, limits, options"
TOP_KEYS = "known keys are: edges, id, limits, members, profiles, store, wiring"
IDENTITY_HINT = "use 1 to 128 printable characters, no '/', no blanks around them"
PROFILES = "profiles are: lead, risk"

COMPLAINTS: list[tuple[dict[str, object], str, str | None]] = [
    # unknown and missing keys
    ({"profils": {}}, "profils: unknown key; did you mean 'profiles'?", TOP_KEYS),
    ({"zebra": 1}, "zebra: unknown key", TOP_KEYS),
    (
        {"profiles": {"risk": {"call": "m:f", "isolatoin": "thread"}}},
        "profiles.risk.isolatoin: unknown key; did you mean 'isolation'?",
        PROFILE_KEYS,
    ),
    (
        {"profiles": {"a risk": {"cal": "m:f"}}},
        "profiles.\"a risk\".cal: unknown key; did you mean 'call'?",
        PROFILE_KEYS,
    ),
    (
        {"profiles": {"risk": {"call": "m:f", "limits": {"attempt": 1}}}},
        "profiles.risk.limits.attempt: unknown key; did you mean 'attempts'?",
        "known keys are: attempts, inbox, turn_timeout_s",
    ),
    (
        {"members": [{"name": "a", "profile": "lead", "lables": {}}]},
        "members[0].lables: unknown key; did you mean 'labels'?",
        "known keys are: count, labels, name, profile",
    ),
    (
        {"wiring": {"orchestrater": "lead"}},
        "wiring.orchestrater: unknown key; did you mean 'orchestrator'?",
        "known keys are: auto_wire_orchestrator, orchestrator, role_wiring",
    ),
    (
        {"edges": [{"a": "lead", "b": "w-1", "c": 1}]},
        "edges[0].c: unknown key",
        "known keys are: a, b",
    ),
    (
        {"store": {"durabilty": "full"}},
        "store.durabilty: unknown key; did you mean 'durability'?",
        "known keys are: durability",
    ),
    (
        {"limits": {"drain_timeout": 3}},
        "limits.drain_timeout: unknown key; did you mean 'drain_timeout_s'?",
        "known keys are: drain_timeout_s, restart_window_s, restarts, resync_s",
    ),
    ({"profiles": {"risk": {}}}, "profiles.risk.call: missing", None),
    ({"members": [{"name": "a"}]}, "members[0].profile: missing", None),
    ({"members": [{"profile": "lead"}]}, "members[0].name: missing", None),
    ({"edges": [{"a": "lead"}]}, "edges[0].b: missing", None),
    # wrong types
    ({"id": 7}, "id: must be a text, not a whole number", None),
    ({"profiles": []}, "profiles: must be a table, not an array", None),
    ({"profiles": {7: {}}}, "profiles: the key 7 must be a text", None),
    (
        {"members": {"name": "a"}},
        "members: must be an array, not a table",
        "write [[members]] with two pairs of brackets",
    ),
    (
        {"edges": {"a": "lead"}},
        "edges: must be an array, not a table",
        "write [[edges]] with two pairs of brackets",
    ),
    ({"members": ["lead"]}, "members[0]: must be a table, not a text", None),
    (
        {"members": [{"name": "a", "profile": "lead", "count": True}]},
        "members[0].count: must be a whole number, not true or false",
        None,
    ),
    (
        {"members": [{"name": "a", "profile": "lead", "labels": {"x y": 1.5}}]},
        'members[0].labels."x y": must be a text, not a number',
        None,
    ),
    (
        {"members": [{"name": "a", "profile": "lead", "labels": {"x": "\ud800"}}]},
        "members[0].labels.x: contains a lone surrogate, which has no UTF-8 form",
        None,
    ),
    (
        {"profiles": {"risk": {"call": 1}}},
        "profiles.risk.call: must be a text, not a whole number",
        None,
    ),
    (
        {"profiles": {"risk": {"call": "m:f", "options": {"when": date(2024, 1, 1)}}}},
        "profiles.risk.options.when: must be a text, a number, true or false, or an array of "
        "these, not date",
        None,
    ),
    (
        {"profiles": {"risk": {"call": "m:f", "options": {"deep": [1, [2]]}}}},
        "profiles.risk.options.deep[1]: must be a text, a number, true or false, or an array of "
        "these, not an array",
        None,
    ),
    (
        {"wiring": {"auto_wire_orchestrator": "yes"}},
        "wiring.auto_wire_orchestrator: must be true or false, not a text",
        None,
    ),
    ({"wiring": {"role_wiring": "lead"}}, "wiring.role_wiring: must be an array, not a text", None),
    (
        {"wiring": {"role_wiring": [("lead", "risk"), ("lead",)]}},
        "wiring.role_wiring[1]: must be two roles, not 1",
        None,
    ),
    (
        {"limits": {"drain_timeout_s": "3"}},
        "limits.drain_timeout_s: must be a number of seconds, not a text",
        None,
    ),
    (
        {"limits": {"resync_s": True}},
        "limits.resync_s: must be a number of seconds, not true or false",
        None,
    ),
    # wrong values
    (
        {"profiles": {"risk": {"call": "m:f", "isolation": "threads"}}},
        "profiles.risk.isolation: must be 'async' or 'thread', not 'threads'; "
        "did you mean 'thread'?",
        None,
    ),
    (
        {"profiles": {"risk": {"call": "m:f", "executor": "llm"}}},
        "profiles.risk.executor: must be 'python', not 'llm'",
        None,
    ),
    (
        {"store": {"durability": "fulll"}},
        "store.durability: must be 'full' or 'normal' or 'memory', not 'fulll'; "
        "did you mean 'full'?",
        None,
    ),
    (
        {"profiles": {"risk": {"call": "panel.Risk"}}},
        "profiles.risk.call: must be 'module:attribute', not 'panel.Risk'",
        None,
    ),
    (
        {"profiles": {"risk": {"call": "m:f", "options": {"x": float("nan")}}}},
        "profiles.risk.options.x: must be a finite number, not nan",
        None,
    ),
    (
        {"profiles": {"risk": {"call": "m:f", "options": {"x": 2**63}}}},
        "profiles.risk.options.x: must fit into 64 bits",
        None,
    ),
    (
        {"profiles": {"risk": {"call": "m:f", "limits": {"turn_timeout_s": 0}}}},
        "profiles.risk.limits.turn_timeout_s: must be a number of seconds above 0, not 0",
        None,
    ),
    (
        {"limits": {"drain_timeout_s": float("inf")}},
        "limits.drain_timeout_s: must be a number of seconds above 0, not inf",
        None,
    ),
    ({"limits": {"restarts": -1}}, "limits.restarts: must be at least 0, not -1", None),
    (
        {"members": [{"name": "a", "profile": "lead", "count": 0}]},
        "members[0].count: must be at least 1, not 0",
        None,
    ),
    (
        {"members": [{"name": "a", "profile": "lead", "count": 100_001}]},
        "members[0].count: must be at most 100000, not 100001",
        None,
    ),
    # identities
    (
        {"id": "a/b"},
        "id: 'a/b' cannot be an identity: it contains '/'",
        IDENTITY_HINT,
    ),
    (
        {"profiles": {"a/b": {"call": "m:f"}}},
        "profiles.\"a/b\": 'a/b' cannot be an identity: it contains '/'",
        IDENTITY_HINT,
    ),
    (
        {"members": [{"name": " a", "profile": "lead"}]},
        "members[0].name: ' a' cannot be an identity: it has blanks around it",
        IDENTITY_HINT,
    ),
    (
        {"members": [{"name": "x" * 127, "profile": "lead", "count": 1}]},
        f"members[0].name: '{'x' * 56}... cannot be an identity: "
        "it has 129 characters, at most 128 are allowed",
        IDENTITY_HINT,
    ),
    (
        {"members": [{"name": "__flow_system_x", "profile": "lead"}]},
        "members[0].name: identity '__flow_system_x' begins with the reserved prefix "
        "'__flow_system_'",
        None,
    ),
    # sections that do not fit together
    (
        {"members": [{"name": "lead", "profile": "lead"}, {"name": "x", "profile": "rsik"}]},
        "members[1].profile: no profile 'rsik'; did you mean 'risk'?",
        PROFILES,
    ),
    (
        {"members": [{"name": "x", "profile": "ghost"}], "profiles": {}},
        "members[0].profile: no profile 'ghost'",
        "profiles are: none",
    ),
    (
        {"members": [{"name": "x", "profile": "lead"}, {"name": "x", "profile": "risk"}]},
        "members[1].name: duplicate member 'x'",
        "members[0] gives it already",
    ),
    (
        {
            "members": [
                {"name": "x", "profile": "lead", "count": 3},
                {"name": "x-2", "profile": "risk"},
            ]
        },
        "members[1].name: duplicate member 'x-2'",
        "members[0] gives it already",
    ),
    (
        {"wiring": {"orchestrator": "led"}},
        "wiring.orchestrator: no role 'led'; did you mean 'lead'?",
        PROFILES,
    ),
    (
        {"wiring": {"role_wiring": [["lead", "risk"], ["lead", "riks"]]}},
        "wiring.role_wiring[1]: no role 'riks'; did you mean 'risk'?",
        PROFILES,
    ),
    (
        {"wiring": {"auto_wire_orchestrator": True}},
        "wiring.auto_wire_orchestrator: no orchestrator is named",
        'name a profile in wiring.orchestrator, for example orchestrator = "lead"',
    ),
    (
        {"edges": [{"a": "w-1", "b": "lead"}, {"a": "w-l", "b": "lead"}]},
        "edges[1].a: no member 'w-l'; did you mean 'w-1'?",
        "members are: lead, w-1",
    ),
    (
        {"edges": [{"a": "w-1", "b": " led "}]},
        "edges[0].b: no member 'led'; did you mean 'lead'?",
        "members are: lead, w-1",
    ),
    (
        {"edges": [{"a": "lead", "b": "lead"}]},
        "edges[0]: self-edges are not allowed: 'lead' to 'lead'",
        None,
    ),
    (
        {"edges": [{"a": "lead", "b": " "}]},
        "edges[0]: edge endpoint must not be empty: 'lead' to ' '",
        None,
    ),
]


@pytest.mark.parametrize(
    ("change", "message", "hint"), COMPLAINTS, ids=[message for _, message, _ in COMPLAINTS]
)
def test_mistake_names_file_key_problem_and_nearest_name(
    change: dict[str, object], message: str, hint: str | None
) -> None:
    error = complaint({**SMALL, **change})

    assert str(error) == f"mob.toml: {message}"
    assert error.hint == hint
    assert error.source == "mob.toml"
    assert message.startswith(f"{error.key}: ")


def test_document_that_is_no_table_is_refused() -> None:
    assert str(complaint(["id"])) == "mob.toml: must be a table, not an array"


def test_first_mistake_in_the_file_is_the_one_named() -> None:
    error = complaint(
        {**SMALL, "profiles": {"risk": {"call": "m:f", "options": 1, "isolation": 2}}, "edges": 3}
    )

    assert error.key == "profiles.risk.options"


JUNK = st.none() | st.integers() | st.floats() | st.text(max_size=3)
TEXTS = st.sampled_from(["lead", "risk", "w", "m:f", "thread", "full", " ", "a/b"]) | JUNK
KEYS = ["name", "profile", "count", "labels", "call", "options", "orchestrator", "a", "b", "x"]
TABLES = st.dictionaries(
    st.sampled_from(KEYS),
    TEXTS | st.dictionaries(TEXTS, TEXTS, max_size=2) | st.lists(TEXTS, max_size=2),
    max_size=3,
)
DOCUMENTS = st.fixed_dictionaries(
    {"id": st.just("m")},
    optional={
        "profiles": st.dictionaries(TEXTS, TABLES | st.just({"call": "m:f"}), max_size=2) | JUNK,
        "members": st.lists(
            TABLES | st.fixed_dictionaries({"name": TEXTS, "profile": TEXTS}), max_size=2
        )
        | JUNK,
        "wiring": TABLES | JUNK,
        "edges": st.lists(TABLES | st.fixed_dictionaries({"a": TEXTS, "b": TEXTS}), max_size=2),
        "store": TABLES,
        "limits": TABLES,
    },
)


@given(DOCUMENTS)
def test_any_document_is_read_or_is_a_definition_error(document: dict[str, object]) -> None:
    try:
        definition = definition_from(document)
    except DefinitionError as error:
        refused = str(error)
        assert refused.startswith("<dict>: ")
    else:
        assert MobDefinition.model_validate_json(definition.model_dump_json()) == definition


def test_definition_survives_json() -> None:
    definition = parse_definition(WHOLE, source="mob.toml")

    assert MobDefinition.model_validate_json(definition.model_dump_json()) == definition


def test_profile_and_member_are_found_by_name() -> None:
    definition = definition_from(SMALL)

    assert definition.profile("risk").call == "m:g"
    assert definition.member("w-1").profile == "risk"


def test_1_8_unknown_profile_is_profile_not_found() -> None:
    with pytest.raises(ProfileNotFound) as caught:
        definition_from(SMALL).profile("ghost")

    assert (caught.value.profile, caught.value.known) == ("ghost", ("lead", "risk"))


def test_undeclared_member_is_not_found() -> None:
    with pytest.raises(MemberNotFound) as caught:
        definition_from(SMALL).member("w-l")

    assert str(caught.value) == "no member 'w-l'; did you mean 'w-1'?"


def test_digest_does_not_depend_on_the_order_of_tables_or_on_written_defaults() -> None:
    plain = definition_from(SMALL)
    turned = definition_from(
        {
            "members": SMALL["members"],
            "limits": {"drain_timeout_s": 30},
            "profiles": {"risk": {"isolation": "async", "call": "m:g"}, "lead": {"call": "m:f"}},
            "id": "m",
        }
    )

    assert plain == turned
    assert plain.digest() == turned.digest()
    assert len(plain.digest()) == 64


def test_digest_is_what_it_was_in_the_first_version() -> None:
    assert (
        definition_from(SMALL).digest()
        == "411abf9f9510ac3918f2e0b8fe7c8232d1a81a668c7d0336554c07d4df1b99ff"
    )


@pytest.mark.parametrize(
    "change",
    [
        {"id": "n"},
        {"members": list(reversed(SMALL["members"]))},
        {"limits": {"restarts": 4}},
        {"edges": [{"a": "lead", "b": "w-1"}]},
        {"profiles": {**SMALL["profiles"], "docs": {"call": "m:h"}}},
    ],
)
def test_digest_changes_with_the_definition(change: dict[str, object]) -> None:
    assert definition_from({**SMALL, **change}).digest() != definition_from(SMALL).digest()


def test_definition_made_in_python_is_checked_too() -> None:
    profiles = FrozenMap({"lead": Profile(name="lead", call="m:f")})
    lead = MemberSpec(name="lead", profile="lead")

    with pytest.raises(ValidationError, match=r"members\[0\]\.profile: no profile 'led'"):
        MobDefinition(id="m", profiles=profiles, members=(MemberSpec(name="a", profile="led"),))
    with pytest.raises(ValidationError, match=r"edges\[0\]\.b: no member 'x'"):
        MobDefinition(id="m", profiles=profiles, members=(lead,), edges=(Edge.of("x", "lead"),))
    with pytest.raises(ValidationError, match=r"profiles\.risk\.name: is 'lead'"):
        MobDefinition(id="m", profiles=FrozenMap({"risk": profiles["lead"]}))


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Profile(name="a/b", call="m:f"),
        lambda: Profile(name="__flow_system_", call="m:f"),
        lambda: Profile(name="a", call="m"),
        lambda: ProfileLimits(attempts=0),
        lambda: ProfileLimits(turn_timeout_s=float("inf")),
        lambda: Limits(restarts=-1),
    ],
)
def test_part_made_in_python_is_checked_too(wrong: Any) -> None:  # Any: a list of different types
    with pytest.raises(ValidationError):
        wrong()


@pytest.mark.parametrize(
    ("text", "valid"),
    [
        ("m:f", True),
        ("a.b.c:D.e", True),
        ("m", False),
        ("m:", False),
        (":f", False),
        ("a..b:f", False),
        ("m:f()", False),
        ("m:f:g", False),
        ("../m:f", False),
    ],
)
def test_call_is_two_dotted_names(text: str, valid: bool) -> None:
    assert is_call(text) is valid
