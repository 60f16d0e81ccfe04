"""The closed list of services: one name for the price book's services, a FOCUS export's and a cost and usage report's.

Names are those that AWS prints on a bill, so that an estimate and a bill join by them. Several services of the
price book may be one on the bill: block storage is billed by EC2, Aurora by RDS, Fargate by ECS.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from nottermost_cost.errors import PriceError


class ServiceCategory(StrEnum):
    """FOCUS 1.2 ServiceCategory, the whole list."""

    AI = "AI and Machine Learning"
    ANALYTICS = "Analytics"
    BUSINESS = "Business Applications"
    COMPUTE = "Compute"
    DATABASES = "Databases"
    DEVELOPER_TOOLS = "Developer Tools"
    MULTICLOUD = "Multicloud"
    IDENTITY = "Identity"
    INTEGRATION = "Integration"
    INTERNET_OF_THINGS = "Internet of Things"
    MANAGEMENT = "Management and Governance"
    MEDIA = "Media"
    MIGRATION = "Migration"
    MOBILE = "Mobile"
    NETWORKING = "Networking"
    SECURITY = "Security"
    STORAGE = "Storage"
    WEB = "Web"
    OTHER = "Other"


@dataclass(frozen=True, slots=True)
class Service:
    """One service of a bill.

    Attributes:
        name: FOCUS ServiceName.
        codes: AWS product codes, as `lineItem/ProductCode` has them.
    """

    name: str
    category: ServiceCategory
    codes: tuple[str, ...]


_EC2: Final = Service("Amazon Elastic Compute Cloud", ServiceCategory.COMPUTE, ("AmazonEC2",))
_ECS: Final = Service("Amazon Elastic Container Service", ServiceCategory.COMPUTE, ("AmazonECS",))
_RDS: Final = Service("Amazon Relational Database Service", ServiceCategory.DATABASES, ("AmazonRDS",))

SERVICES: Final[dict[str, Service]] = {
    "AMG": Service("Amazon Managed Grafana", ServiceCategory.MANAGEMENT, ("AmazonGrafana",)),
    "AMP": Service("Amazon Managed Service for Prometheus", ServiceCategory.MANAGEMENT, ("AmazonPrometheus",)),
    "APIGateway": Service("Amazon API Gateway", ServiceCategory.WEB, ("AmazonApiGateway",)),
    "AppSync": Service("AWS AppSync", ServiceCategory.WEB, ("AWSAppSync",)),
    "Aurora": _RDS,
    "Backup": Service("AWS Backup", ServiceCategory.STORAGE, ("AWSBackup",)),
    "Budgets": Service("AWS Budgets", ServiceCategory.MANAGEMENT, ("AWSBudgets",)),
    "CloudFront": Service("Amazon CloudFront", ServiceCategory.NETWORKING, ("AmazonCloudFront",)),
    "CloudMap": Service("AWS Cloud Map", ServiceCategory.NETWORKING, ("AWSCloudMap",)),
    "Config": Service("AWS Config", ServiceCategory.MANAGEMENT, ("AWSConfig",)),
    "CloudTrail": Service("AWS CloudTrail", ServiceCategory.MANAGEMENT, ("AWSCloudTrail",)),
    "CloudWatch": Service("AmazonCloudWatch", ServiceCategory.MANAGEMENT, ("AmazonCloudWatch",)),
    "Cognito": Service("Amazon Cognito", ServiceCategory.IDENTITY, ("AmazonCognito",)),
    "DAX": Service("Amazon DynamoDB Accelerator (DAX)", ServiceCategory.DATABASES, ("AmazonDAX",)),
    "DataTransfer": Service("AWS Data Transfer", ServiceCategory.NETWORKING, ("AWSDataTransfer",)),
    "DynamoDB": Service("Amazon DynamoDB", ServiceCategory.DATABASES, ("AmazonDynamoDB",)),
    "EBS": _EC2,
    "EC2": _EC2,
    "ECR": Service("Amazon EC2 Container Registry (ECR)", ServiceCategory.COMPUTE, ("AmazonECR",)),
    "EKS": Service("Amazon Elastic Container Service for Kubernetes", ServiceCategory.COMPUTE, ("AmazonEKS",)),
    "ELB": Service("Elastic Load Balancing", ServiceCategory.NETWORKING, ("AWSELB",)),
    "ElastiCache": Service("Amazon ElastiCache", ServiceCategory.DATABASES, ("AmazonElastiCache",)),
    "EventBridge": Service("Amazon EventBridge", ServiceCategory.INTEGRATION, ("AWSEvents",)),
    "FIS": Service("AWS Fault Injection Service", ServiceCategory.MANAGEMENT, ("AWSFIS",)),
    "Fargate": _ECS,
    "GlobalAccelerator": Service("AWS Global Accelerator", ServiceCategory.NETWORKING, ("AWSGlobalAccelerator",)),
    "GuardDuty": Service("Amazon GuardDuty", ServiceCategory.SECURITY, ("AmazonGuardDuty",)),
    "KMS": Service("AWS Key Management Service", ServiceCategory.SECURITY, ("awskms",)),
    "Kinesis": Service("Amazon Kinesis", ServiceCategory.ANALYTICS, ("AmazonKinesis",)),
    "Lambda": Service("AWS Lambda", ServiceCategory.COMPUTE, ("AWSLambda",)),
    "MSK": Service("Amazon Managed Streaming for Apache Kafka", ServiceCategory.INTEGRATION, ("AmazonMSK",)),
    "OpenSearch": Service("Amazon OpenSearch Service", ServiceCategory.ANALYTICS, ("AmazonES",)),
    "RDS": _RDS,
    "Route53": Service("Amazon Route 53", ServiceCategory.NETWORKING, ("AmazonRoute53",)),
    "S3": Service("Amazon Simple Storage Service", ServiceCategory.STORAGE, ("AmazonS3",)),
    "SNS": Service("Amazon Simple Notification Service", ServiceCategory.INTEGRATION, ("AmazonSNS",)),
    "SQS": Service("Amazon Simple Queue Service", ServiceCategory.INTEGRATION, ("AWSQueueService",)),
    "SSM": Service("AWS Systems Manager", ServiceCategory.MANAGEMENT, ("AWSSystemsManager",)),
    "SecretsManager": Service("AWS Secrets Manager", ServiceCategory.SECURITY, ("AWSSecretsManager",)),
    "StepFunctions": Service("AWS Step Functions", ServiceCategory.INTEGRATION, ("AmazonStates",)),
    "Support": Service(
        "AWS Support", ServiceCategory.OTHER, ("AWSSupportBusiness", "AWSSupportEnterprise", "AWSDeveloperSupport")
    ),
    "VPC": Service("Amazon Virtual Private Cloud", ServiceCategory.NETWORKING, ("AmazonVPC",)),
    "WAF": Service("AWS WAF", ServiceCategory.SECURITY, ("awswaf",)),
    "XRay": Service("AWS X-Ray", ServiceCategory.DEVELOPER_TOOLS, ("AWSXRay",)),
}

_BY_NAME: Final = {service.name: service for service in SERVICES.values()}
_BY_CODE: Final = {code: service for service in SERVICES.values() for code in service.codes}


def service_name(service: str) -> str:
    """FOCUS ServiceName of a price book's `service`. Raises: PriceError for one outside the list."""
    if service not in SERVICES:
        raise PriceError(f"the price book's service {service!r} has no name on a bill: add it to services.SERVICES")
    return SERVICES[service].name


def is_known(name: str) -> bool:
    """Whether an estimate could have lines under this ServiceName."""
    return name in _BY_NAME


def name_of_code(code: str) -> str:
    """ServiceName of a product code; a code that the list lacks is its own name, so that nothing billed is lost."""
    return _BY_CODE[code].name if code in _BY_CODE else code


def category_of(name: str) -> ServiceCategory:
    """ServiceCategory of a ServiceName, `Other` outside the list."""
    return _BY_NAME[name].category if name in _BY_NAME else ServiceCategory.OTHER
