"""Names by construction: within the type's length, the same each time, apart for what is apart."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nottermost_platform.naming import (
    GLOBALLY_UNIQUE,
    NAMED,
    REGION_CODES,
    environment_class,
    fit,
    nottermost_id,
    physical_name,
)
from nottermost_platform.sdk_check import NAME_FORMATS
from nottermost_platform.tokens import sdk_class

TEXT = st.from_regex(r"\A[a-z][a-z0-9]*(-[a-z0-9]+){0,8}\Z")
PLACES = st.tuples(
    st.sampled_from(["dev", "staging", "prod", "pr-0", "pr-99999"]), st.sampled_from(sorted(REGION_CODES))
)


@given(token=st.sampled_from(sorted(NAMED)), name=TEXT, place=PLACES)
def test_names_are_within_the_length_and_of_the_form(token: str, name: str, place: tuple[str, str]) -> None:
    """For every type, whatever the logical name."""
    made = physical_name(token, env=place[0], region=place[1], account="111122223333", name=name)
    assert 0 < len(made) <= NAMED[token].limit
    assert not made.endswith("-")
    if token in NAME_FORMATS and token not in GLOBALLY_UNIQUE:
        assert re.match(NAME_FORMATS[token], made)


@given(one=TEXT, other=TEXT, limit=st.integers(20, 80))
def test_cut_names_stay_apart(one: str, other: str, limit: int) -> None:
    """Two names that begin alike are told apart by their hash; a short one is left alone."""
    assert (fit(one, limit) == fit(other, limit)) == (one == other)
    assert len(one) > limit or fit(one, limit) == one


@given(name=TEXT, places=st.lists(PLACES, min_size=2, max_size=2, unique=True))
def test_environments_and_regions_have_names_of_their_own(name: str, places: list[tuple[str, str]]) -> None:
    """Also where AWS has one name space for all regions, as for roles and buckets."""
    for token in ("aws:iam/role:Role", "aws:s3/bucket:Bucket"):
        made = {physical_name(token, env=env, region=region, account="1" * 12, name=name) for env, region in places}
        assert len(made) == 2


def test_every_named_type_is_one_of_the_sdk() -> None:
    """And has the property that the table names."""
    for token, named in NAMED.items():
        made_of = sdk_class(token)
        assert made_of is not None
        assert hasattr(made_of, re.sub("([A-Z])", r"_\1", named.property).lower()), token


@pytest.mark.parametrize(
    ("env", "kind"), [("dev", "dev"), ("staging", "staging"), ("prod", "prod"), ("pr-0", "pr"), ("pr-12", "pr")]
)
def test_environment_classes(env: str, kind: str) -> None:
    """Temporary environments are of one class."""
    assert environment_class(env) == kind


@pytest.mark.parametrize("env", ["", "test", "prod2", "pr-", "pr-01", "pr-100000", "pr-x", "PROD", "prod\n"])
def test_other_names_are_no_environments(env: str) -> None:
    """Each is refused with what there is."""
    with pytest.raises(ValueError, match="dev, staging, prod or pr-"):
        environment_class(env)


def test_ids_are_hashes_of_urns() -> None:
    """Sixteen digits, known to drift and bills: never to be changed."""
    assert nottermost_id("urn:pulumi:dev-us-east-1::p::t::n") == "8db2c06e4012761c"
