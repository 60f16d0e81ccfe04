"""Estimate and bill speak of the same services."""

import pytest

from nottermost_cost.errors import PriceError
from nottermost_cost.pricebook import load_prices
from nottermost_cost.services import SERVICES, ServiceCategory, category_of, is_known, name_of_code, service_name


def test_every_service_of_the_price_book_has_a_name_on_a_bill() -> None:
    """No estimate can have a line that no bill would join."""
    assert {rate.service for rate in load_prices()} <= set(SERVICES)


def test_a_product_code_belongs_to_one_service() -> None:
    """A report's row is counted under one name."""
    services = set(SERVICES.values())
    assert len({service.name for service in services}) == len(services)
    codes = [code for service in services for code in service.codes]
    assert len(set(codes)) == len(codes)


@pytest.mark.parametrize(
    ("service", "code", "name"),
    [
        ("Fargate", "AmazonECS", "Amazon Elastic Container Service"),
        ("Aurora", "AmazonRDS", "Amazon Relational Database Service"),
        ("EBS", "AmazonEC2", "Amazon Elastic Compute Cloud"),
        ("KMS", "awskms", "AWS Key Management Service"),
        ("CloudWatch", "AmazonCloudWatch", "AmazonCloudWatch"),
    ],
)
def test_price_book_and_product_code_meet_in_one_name(service: str, code: str, name: str) -> None:
    """Also where AWS bills several of our services as one."""
    assert service_name(service) == name == name_of_code(code)
    assert is_known(name)


def test_an_unknown_product_code_keeps_its_name() -> None:
    """What is billed is never dropped for want of a name."""
    assert name_of_code("AWSGlue") == "AWSGlue"
    assert not is_known("AWSGlue")
    assert category_of("AWSGlue") is ServiceCategory.OTHER


def test_an_unknown_service_of_the_price_book_is_refused() -> None:
    """A new service needs a name before it can be estimated."""
    with pytest.raises(PriceError, match=r"'Quantum' has no name on a bill: add it to services\.SERVICES"):
        service_name("Quantum")
