"""The edge of the whole world: page and files from S3, the API and sockets from the load balancer, all by one domain."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pulumi
import pulumi_aws as aws
from pulumi_aws.cloudfront.cache_policy import CachePolicy
from pulumi_aws.cloudfront.distribution import Distribution as CloudFrontDistribution
from pulumi_aws.cloudfront.function import Function
from pulumi_aws.cloudfront.key_group import KeyGroup
from pulumi_aws.cloudfront.origin_access_control import OriginAccessControl
from pulumi_aws.cloudfront.public_key import PublicKey
from pulumi_aws.cloudfront.response_headers_policy import ResponseHeadersPolicy
from pulumi_aws.cloudwatch.log_delivery import LogDelivery
from pulumi_aws.cloudwatch.log_delivery_destination import LogDeliveryDestination
from pulumi_aws.cloudwatch.log_delivery_source import LogDeliverySource

from nottermost_platform.components.storage import add_bucket_policy
from nottermost_platform.naming import PRIMARY, REGION_CODES, STANDBY
from nottermost_platform.policy import Statement
from nottermost_platform.program import Component, Stack

DAY_S: Final = 86_400
MEDIA_S: Final = 90 * DAY_S  # document D: media stays 90 days at the edge; a file never changes under its name
PAGE_S: Final = 60  # until a new page is seen, where the object itself does not say
HSTS_S: Final = 365 * DAY_S
# Policies of AWS itself; their ids are the same in every account.
CACHING_DISABLED: Final = "4135ea2d-6df8-44a3-9df3-4b5a84be39ad"
ALL_VIEWER: Final = "216adef6-5c7f-47e4-b989-5492eafa07d3"  # with Host and what a WebSocket handshake needs
READS: Final = ("GET", "HEAD", "OPTIONS")
EVERYTHING: Final = ("GET", "HEAD", "OPTIONS", "PUT", "POST", "PATCH", "DELETE")
# The chat's own policies (services/reference-chat, api/edge.py and api/files.py).
PAGE_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self' wss:; "
    "font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'; manifest-src 'self'; media-src 'self'"
)
FILE_POLICY: Final = "default-src 'none'; sandbox; frame-ancestors 'none'"
# The page looks at its address itself: whatever is not a file of it is the page.
REWRITE: Final = """function handler(event) {
  var request = event.request;
  if (request.uri.indexOf('/assets/') !== 0) { request.uri = '/index.html'; }
  return request;
}
"""
FAILING: Final = (500, 502, 503, 504)


@dataclass(frozen=True, slots=True, kw_only=True)
class DistributionArgs:
    """A distribution.

    Attributes:
        certificate_arn, web_acl_arn: both in us-east-1.
        api_domain: where the API and sockets are, over HTTPS.
        page, files: domains of the buckets, regional; further ones are asked when the one before fails.
        file_keys: public halves (PEM) of the keys that sign links to files, by name; none: no files by this way.
        logs_bucket: where requests are logged; it lets the log delivery of this account write.
        blocked_countries: by ISO code. None is our decision: a chat follows its users, the law may differ.
    """

    domain: str
    certificate_arn: pulumi.Input[str]
    web_acl_arn: pulumi.Input[str]
    api_domain: str
    page: Sequence[pulumi.Input[str]]
    files: Sequence[pulumi.Input[str]]
    file_keys: Mapping[str, str] = field(default_factory=dict)
    logs_bucket: pulumi.Input[str]
    price_class: str = "PriceClass_100"
    blocked_countries: Sequence[str] = ()


class Distribution(Component):
    """A CloudFront distribution: HTTPS only, buckets reached under its own signature, files by signed links only."""

    KIND = "edge:Distribution"

    def __init__(self, stack: Stack[Any], name: str, args: DistributionArgs) -> None:
        super().__init__(stack, name)
        self.access = self.add(
            OriginAccessControl, "buckets", description="Signs what the distribution asks of its buckets",
            origin_access_control_origin_type="s3", signing_behavior="always", signing_protocol="sigv4",
        )  # fmt: skip
        page_headers = self._headers("page", PAGE_POLICY, override=False)  # the API sends a policy of its own
        uncached: dict[str, Any] = {
            "target_origin_id": "api", "cache_policy_id": CACHING_DISABLED, "origin_request_policy_id": ALL_VIEWER,
            "response_headers_policy_id": page_headers.id, "allowed_methods": EVERYTHING, "compress": True,
        }  # fmt: skip
        behaviors = [self._behavior("/api/*", **uncached), self._behavior("/ws*", **uncached)]
        if args.file_keys:
            behaviors.append(self._files(args))
        rewrite = self.add(
            Function, "rewrite", runtime="cloudfront-js-2.0", code=REWRITE, comment="Every address of the page is the page"
        )  # fmt: skip
        self.distribution = self.add(
            CloudFrontDistribution, "", enabled=True, comment=f"Nottermost {stack.place.env}", aliases=[args.domain],
            http_version="http2and3", is_ipv6_enabled=True, price_class=args.price_class,
            default_root_object="index.html", web_acl_id=args.web_acl_arn,
            origins=self._origins(args), origin_groups=_groups(args) or None, ordered_cache_behaviors=behaviors,
            default_cache_behavior=aws.cloudfront.DistributionDefaultCacheBehaviorArgs(
                target_origin_id=_target("page", args.page), viewer_protocol_policy="redirect-to-https", compress=True,
                allowed_methods=list(READS), cached_methods=["GET", "HEAD"], response_headers_policy_id=page_headers.id,
                cache_policy_id=self._cache("page", default_s=PAGE_S, longest_s=DAY_S).id,
                function_associations=[
                    aws.cloudfront.DistributionDefaultCacheBehaviorFunctionAssociationArgs(
                        event_type="viewer-request", function_arn=rewrite.arn
                    )
                ],
            ),
            viewer_certificate=aws.cloudfront.DistributionViewerCertificateArgs(
                acm_certificate_arn=args.certificate_arn, minimum_protocol_version="TLSv1.2_2021",
                ssl_support_method="sni-only",
            ),
            restrictions=aws.cloudfront.DistributionRestrictionsArgs(
                geo_restriction=aws.cloudfront.DistributionRestrictionsGeoRestrictionArgs(
                    restriction_type="blacklist" if args.blocked_countries else "none",
                    locations=list(args.blocked_countries),
                )
            ),
            # Standard logging, second version: what is delivered and where to is said by `_log`. The first version
            # would need a bucket with access control lists.
            logging_config=aws.cloudfront.DistributionLoggingConfigArgs(include_cookies=False),
            opts=pulumi.ResourceOptions(protect=True) if stack.place.is_prod else None,
        )  # fmt: skip
        self._log(args)
        self.id: pulumi.Output[str] = self.distribution.id
        self.register_outputs({"id": self.id})

    def _origins(self, args: DistributionArgs) -> list[aws.cloudfront.DistributionOriginArgs]:
        origins = [
            aws.cloudfront.DistributionOriginArgs(
                origin_id="api", domain_name=args.api_domain,
                custom_origin_config=aws.cloudfront.DistributionOriginCustomOriginConfigArgs(
                    http_port=80, https_port=443, origin_protocol_policy="https-only", origin_ssl_protocols=["TLSv1.2"],
                    origin_read_timeout=60, origin_keepalive_timeout=60,
                ),
            )
        ]  # fmt: skip
        for kind, domains in _buckets(args).items():
            origins += [
                aws.cloudfront.DistributionOriginArgs(
                    origin_id=origin, domain_name=domain, origin_access_control_id=self.access.id,
                )
                for origin, domain in zip(_members(kind, domains), domains, strict=True)
            ]  # fmt: skip
        return origins

    def _files(self, args: DistributionArgs) -> aws.cloudfront.DistributionOrderedCacheBehaviorArgs:
        """Files: long at the edge, and only for who holds a link that the API signed."""
        keys = [
            # Named by Pulumi: a key cannot be changed, and the new one must exist before the old one goes.
            self.add(PublicKey, f"signer-{name}", encoded_key=f"{key.strip()}\n", comment=f"Links to files, {name}")
            for name, key in sorted(args.file_keys.items())
        ]
        group = self.add(KeyGroup, "signers", items=[key.id for key in keys], comment="Who signs links to files")
        return self._behavior(
            "/files/*", target_origin_id=_target("files", args.files), allowed_methods=READS, compress=False,
            cache_policy_id=self._cache("files", default_s=MEDIA_S, longest_s=MEDIA_S).id,
            response_headers_policy_id=self._headers("files", FILE_POLICY, override=True).id,
            trusted_key_groups=[group.id],
        )  # fmt: skip

    def _behavior(
        self, path: str, *, allowed_methods: Sequence[str], **arguments: Any
    ) -> aws.cloudfront.DistributionOrderedCacheBehaviorArgs:
        return aws.cloudfront.DistributionOrderedCacheBehaviorArgs(
            path_pattern=path, viewer_protocol_policy="https-only", allowed_methods=list(allowed_methods),
            cached_methods=["GET", "HEAD"], **arguments,
        )  # fmt: skip

    def _cache(self, name: str, *, default_s: int, longest_s: int) -> CachePolicy:
        """Kept by path alone: neither cookies, headers nor the signature of a link make another object."""
        key = aws.cloudfront.CachePolicyParametersInCacheKeyAndForwardedToOriginArgs(
            cookies_config=aws.cloudfront.CachePolicyParametersInCacheKeyAndForwardedToOriginCookiesConfigArgs(
                cookie_behavior="none"
            ),
            headers_config=aws.cloudfront.CachePolicyParametersInCacheKeyAndForwardedToOriginHeadersConfigArgs(
                header_behavior="none"
            ),
            query_strings_config=aws.cloudfront.CachePolicyParametersInCacheKeyAndForwardedToOriginQueryStringsConfigArgs(
                query_string_behavior="none"
            ),
            enable_accept_encoding_brotli=True,
            enable_accept_encoding_gzip=True,
        )
        return self.add(
            CachePolicy, name, comment=f"{default_s} s, by path", min_ttl=0, default_ttl=default_s, max_ttl=longest_s,
            parameters_in_cache_key_and_forwarded_to_origin=key,
        )  # fmt: skip

    def _headers(self, name: str, content_policy: str, *, override: bool) -> ResponseHeadersPolicy:
        """Security headers. `override`: also over a content policy that the origin sent."""
        security = aws.cloudfront.ResponseHeadersPolicySecurityHeadersConfigArgs(
            strict_transport_security=aws.cloudfront.ResponseHeadersPolicySecurityHeadersConfigStrictTransportSecurityArgs(
                access_control_max_age_sec=HSTS_S, include_subdomains=True, preload=True, override=True
            ),
            content_type_options=aws.cloudfront.ResponseHeadersPolicySecurityHeadersConfigContentTypeOptionsArgs(
                override=True
            ),
            frame_options=aws.cloudfront.ResponseHeadersPolicySecurityHeadersConfigFrameOptionsArgs(
                frame_option="DENY", override=True
            ),
            referrer_policy=aws.cloudfront.ResponseHeadersPolicySecurityHeadersConfigReferrerPolicyArgs(
                referrer_policy="no-referrer", override=True
            ),
            content_security_policy=aws.cloudfront.ResponseHeadersPolicySecurityHeadersConfigContentSecurityPolicyArgs(
                content_security_policy=content_policy, override=override
            ),
        )
        return self.add(
            ResponseHeadersPolicy, name, comment=f"Security headers of {name}", security_headers_config=security
        )

    def _log(self, args: DistributionArgs) -> None:
        """Every request to the bucket of logs, by day; CloudFront's deliveries are all declared in us-east-1.

        Their names are theirs alone, and unlike most types these are not replaced in the right order by themselves.
        """
        first = pulumi.ResourceOptions(delete_before_replace=True)
        source = self.add(
            LogDeliverySource, "logs", region=PRIMARY, log_type="ACCESS_LOGS", resource_arn=self.distribution.arn,
            opts=first,
        )  # fmt: skip
        bucket = pulumi.Output.concat("arn:aws:s3:::", args.logs_bucket, "/cloudfront")
        destination = self.add(
            LogDeliveryDestination, "logs", region=PRIMARY, output_format="parquet",
            delivery_destination_configuration=aws.cloudwatch.LogDeliveryDestinationDeliveryDestinationConfigurationArgs(
                destination_resource_arn=bucket
            ),
            opts=first,
        )  # fmt: skip
        layout = aws.cloudwatch.LogDeliveryS3DeliveryConfigurationArgs(
            suffix_path="{DistributionId}/{yyyy}/{MM}/{dd}", enable_hive_compatible_path=False
        )
        self.add(
            LogDelivery, "logs", region=PRIMARY, delivery_source_name=source.name,
            delivery_destination_arn=destination.arn, s3_delivery_configurations=[layout], opts=first,
        )  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadableArgs:
    """Buckets by name and ARN, and the distribution that may read them."""

    buckets: Mapping[str, tuple[pulumi.Input[str], pulumi.Input[str]]]
    distribution_id: pulumi.Input[str]


class Readable(Component):
    """The policies of a region's buckets: one distribution reads them, by its own signature, and nobody from outside."""

    KIND = "edge:Readable"

    def __init__(self, stack: Stack[Any], name: str, args: ReadableArgs) -> None:
        super().__init__(stack, name)
        account = stack.settings.account_id
        arn = pulumi.Output.concat(f"arn:aws:cloudfront::{account}:distribution/", args.distribution_id)
        for key, (bucket, bucket_arn) in args.buckets.items():
            read = Statement(
                sid="Distribution", actions=["s3:GetObject"], resources=[pulumi.Output.concat(bucket_arn, "/*")],
                services=["cloudfront.amazonaws.com"], conditions={"StringEquals": {"aws:SourceArn": arn}},
            )  # fmt: skip
            add_bucket_policy(self, key, bucket, bucket_arn, read)
        self.register_outputs({})


def replica_domain(bucket: str) -> str:
    """Where the standby has the copy of the primary's bucket, by construction of its name."""
    replica = bucket.replace(f"-{REGION_CODES[PRIMARY]}-", f"-{REGION_CODES[STANDBY]}-")
    return f"{replica}.s3.{STANDBY}.amazonaws.com"


def _buckets(args: DistributionArgs) -> dict[str, Sequence[pulumi.Input[str]]]:
    return {"page": args.page, "files": args.files} if args.file_keys else {"page": args.page}


def _members(kind: str, domains: Sequence[pulumi.Input[str]]) -> list[str]:
    """The origins of a kind: `page`, then `page-standby`."""
    return [kind, f"{kind}-standby"][: len(domains)]


def _target(kind: str, domains: Sequence[pulumi.Input[str]]) -> str:
    return f"{kind}-group" if len(domains) > 1 else kind


def _groups(args: DistributionArgs) -> list[aws.cloudfront.DistributionOriginGroupArgs]:
    """Two buckets of a kind as one: the second is asked where the first fails. Not for 403 and 404: those are answers."""
    return [
        aws.cloudfront.DistributionOriginGroupArgs(
            origin_id=_target(kind, domains),
            failover_criteria=aws.cloudfront.DistributionOriginGroupFailoverCriteriaArgs(status_codes=list(FAILING)),
            members=[
                aws.cloudfront.DistributionOriginGroupMemberArgs(origin_id=origin) for origin in _members(kind, domains)
            ],
        )
        for kind, domains in _buckets(args).items()
        if len(domains) > 1
    ]
