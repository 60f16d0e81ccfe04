"""What a Kafka cluster lacks of the topics that are wanted. Partitions grow, if that is asked for, and never shrink."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field


class Refused(Exception):
    """What Kafka cannot do, or must not; the sentence says what to do instead."""


@dataclass(frozen=True, kw_only=True)
class Topic:
    """One topic. `config`: what is wanted, or, of one that is there, all that it has."""

    name: str
    partitions: int
    replication: int
    config: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is to be done.

    Attributes:
        grow: by name, to how many partitions.
        configure: by name, the properties that differ.
    """

    create: list[Topic]
    grow: dict[str, int]
    configure: dict[str, dict[str, str]]

    @property
    def changes(self) -> bool:
        return bool(self.create or self.grow or self.configure)


def plan_topics(wanted: Sequence[Topic], found: Mapping[str, Topic], *, may_grow: bool) -> Plan:
    """Raises: Refused with everything that cannot be done; then nothing is."""
    refusals = [
        text for topic in wanted if topic.name in found for text in _refusals(topic, found[topic.name], may_grow)
    ]
    if refusals:
        raise Refused("; ".join(refusals))
    there = [(topic, found[topic.name]) for topic in wanted if topic.name in found]
    configure = {topic.name: _differing(topic, old) for topic, old in there}
    return Plan(
        create=[topic for topic in wanted if topic.name not in found],
        grow={topic.name: topic.partitions for topic, old in there if topic.partitions > old.partitions},
        configure={name: differing for name, differing in configure.items() if differing},
    )


def _refusals(topic: Topic, old: Topic, may_grow: bool) -> Iterable[str]:
    if topic.partitions < old.partitions:
        yield (
            f"{topic.name} has {old.partitions} partitions, {topic.partitions} are wanted: Kafka cannot take any away; "
            "make a topic under another prefix and let consumers move"
        )
    if topic.partitions > old.partitions and not may_grow:
        yield (
            f"{topic.name} has {old.partitions} partitions, {topic.partitions} are wanted: records of a conversation "
            "would change places; when nothing is left to read in order, set topics_may_grow"
        )
    if topic.replication not in (-1, old.replication):
        yield (
            f"{topic.name} has {old.replication} copies, {topic.replication} are wanted: "
            "reassign its partitions with Kafka's own tool"
        )


def _differing(topic: Topic, old: Topic) -> dict[str, str]:
    return {key: value for key, value in topic.config.items() if old.config.get(key) != value}


def show(topics: Iterable[Topic]) -> str:
    """One block a topic, for a diff."""
    return "".join(
        f"{topic.name}: {topic.partitions} partitions, {topic.replication} copies\n"
        + "".join(f"  {key}={value}\n" for key, value in sorted(topic.config.items()))
        for topic in sorted(topics, key=lambda each: each.name)
    )


def restrict(found: Mapping[str, Topic], wanted: Sequence[Topic]) -> list[Topic]:
    """What is there of what is wanted, with the properties that are asked for: the other side of the diff."""
    return [
        Topic(
            name=old.name, partitions=old.partitions, replication=old.replication if topic.replication != -1 else -1,
            config={key: old.config[key] for key in topic.config if key in old.config},
        )
        for topic in wanted
        if (old := found.get(topic.name))
    ]  # fmt: skip
