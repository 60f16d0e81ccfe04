"""Policies name what they allow, and equal ones are equal text."""

import json

from nottermost_platform.policy import Statement, canonical_json, deny_plain_transport, to_document, trust


def test_services_act_for_this_account_only() -> None:
    """The confused deputy stays outside."""
    rendered = trust("ecs-tasks.amazonaws.com", "111122223333", source_arn="arn:aws:ecs:*").render()
    assert rendered["Condition"] == {
        "StringEquals": {"aws:SourceAccount": "111122223333"},
        "ArnLike": {"aws:SourceArn": "arn:aws:ecs:*"},
    }
    assert rendered["Principal"] == {"Service": ["ecs-tasks.amazonaws.com"]}


def test_plain_transport_is_denied_to_everybody() -> None:
    """And to nothing else."""
    rendered = deny_plain_transport("arn:aws:s3:::bucket").render()
    assert (rendered["Effect"], rendered["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})


def test_documents_are_canonical() -> None:
    """Whatever the order in which actions were given."""
    one, other = (Statement(actions=actions, resources=["r"]).render() for actions in (["b:B", "a:A"], ["a:A", "b:B"]))
    assert to_document([one]) == to_document([other])
    assert json.loads(to_document([one]))["Version"] == "2012-10-17"
    assert canonical_json({"b": 1, "a": [2, 1]}) == '{"a":[2,1],"b":1}'
