"""Who may change the platform: a role that looks and one that deploys, what each may do, and a ceiling over both."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pulumi
from pulumi_aws.iam.policy import Policy
from pulumi_aws.iam.role import Role
from pulumi_aws.iam.role_policy import RolePolicy
from pulumi_aws.iam.role_policy_attachment import RolePolicyAttachment

from nottermost_platform.naming import PRIMARY, STANDBY
from nottermost_platform.policy import Statement, make_policy
from nottermost_platform.program import Component, Stack

GITHUB: Final = "token.actions.githubusercontent.com"
SESSION_S: Final = 7200  # a first `up` waits for MSK, OpenSearch and RDS, half an hour each
AREAS: Final = ("network", "data", "compute", "operations")


@dataclass(frozen=True, slots=True)
class Service:
    """What the pipeline does with one AWS service.

    Attributes:
        area: the policy that its changes stand in; one policy holds 6,144 characters.
        look, change: beginnings of actions, without any that read or write what users stored.
        scope: what may be changed, as ends of ARNs; all where ids are made by AWS, so that no name can tell.
        unnamed: changes of a service with a scope that concern nothing that has a name.
        everywhere: a global service, whose calls arrive in us-east-1 whatever region is worked on.
    """

    area: str
    look: str
    change: str
    scope: str = ""
    unnamed: str = ""
    everywhere: bool = False


# What the stacks need. `{env}` is an environment: names begin with it by construction (naming.py).
SERVICES: Final = {
    "acm": Service("network", "Describe Get List", "Add Delete Remove Request Update"),
    "application-autoscaling": Service("compute", "Describe List", "Delete Deregister Put Register Tag Untag"),
    "aps": Service("operations", "Describe List", "Create Delete Put Tag Untag Update"),
    "athena": Service("data", "GetWorkGroup List", "Create Delete Tag Untag Update", "workgroup/{env}-*"),
    "autoscaling": Service("compute", "Describe", "Create Delete Disable Enable Put Set Start Update"),
    "backup": Service("data", "Describe Get List", "Create Delete Put Tag Untag Update"),
    "backup-storage": Service("data", "", "MountCapsule"),
    "cloudfront": Service("network", "Describe Get List", "Create Delete Publish Tag Untag Update", everywhere=True),
    "cloudwatch": Service("operations", "Describe Get List", "Delete Put Tag Untag"),
    "cognito-idp": Service(
        "operations", "Describe GetLog GetUserPool ListTags ListUserPool", "CreateUserPool DeleteUserPool Set Tag "
        "Untag UpdateUserPool",
    ),
    "dax": Service("data", "Describe List", "Create Decrease DeleteC DeleteP DeleteS Increase Tag Untag UpdateC UpdateP"),
    "dynamodb": Service(
        "data", "Describe GetResource List", "CreateTable DeleteTable Tag Untag UpdateCont UpdateTable UpdateTime",
        "table/{env}-*",
    ),
    "ec2": Service(
        "network", "Describe GetManaged", "Allocate Associate Attach Authorize Create Delete Detach Disassociate Modify "
        "Release Replace Revoke RunInstances",
    ),
    "ecr": Service(
        "compute", "Describe GetLifecycle GetRepository List", "CreateRepo DeleteL DeleteR PutImageS PutImageTag "
        "PutLifecycle Set Tag Untag",
        "repository/nottermost/{env}/*", unnamed="PutReplication",
    ),
    "ecs": Service("compute", "Describe List", "Create Delete Deregister Put Register Tag Untag Update"),
    "elasticache": Service("data", "Describe List", "Add Create Decrease Delete Increase Modify Remove"),
    "elasticloadbalancing": Service("network", "Describe", "Add Create Delete Deregister Modify Register Remove Set"),
    "es": Service("data", "Describe Get List", "Add Create Delete Remove Update Upgrade", "domain/{env}-*"),
    "events": Service("operations", "Describe List", "Delete Disable Enable PutRule PutTargets Remove Tag Untag"),
    "firehose": Service("data", "Describe List", "Create Delete Start Stop Tag Untag Update", "deliverystream/{env}-*"),
    "glue": Service("data", "Get", "CreateD CreateP CreateT DeleteD DeleteP DeleteT Tag Untag UpdateD UpdateP UpdateT"),
    "grafana": Service("operations", "Describe List", "CreateWorkspace DeleteWorkspace Tag Untag UpdateWorkspace"),
    "kafka": Service("data", "Describe Get List", "Create Delete Put Tag Untag Update"),
    "kms": Service("data", "Describe Get List", "Cancel CreateA CreateK Enable Put Replicate Schedule Tag Untag Update"),
    "lambda": Service("compute", "Get List", "Add Create Delete Publish Put Remove Tag Untag Update", "function:{env}-*", "CreateEventSource DeleteEventSource UpdateEventSource"),
    "logs": Service(
        "operations", "Describe GetDelivery List", "Associate Create Delete Disassociate PutD PutM PutR PutS Tag Untag"
    ),
    "rds": Service("data", "Describe List", "Add Create Delete Deregister Modify Register Remove Reset"),
    "route53": Service("network", "Get List", "Associate Change Create Delete Disassociate Update", everywhere=True),
    "s3": Service(
        "data", "GetAcc GetBucket GetEncryption GetIntelligent GetLifecycle GetReplication ListAllMyBuckets ListBucket",
        "CreateBucket DeleteBucket PutBucket PutEncryption PutIntelligent PutLifecycle PutReplication",
        "nottermost-{env}-*",
    ),
    "secretsmanager": Service(
        "data", "Describe GetResourcePolicy List", "Cancel Create Delete Put Remove Replicate Restore Rotate Tag Untag "
        "Update",
        "secret:{env}-* secret:rds!*",
    ),
    "servicediscovery": Service("compute", "Get List", "Create Delete Tag Untag Update"),
    "sns": Service("operations", "Get List", "Create Delete Set Subscribe Tag Unsubscribe Untag", "{env}-*"),
    "sqs": Service("operations", "GetQueue List", "CreateQueue DeleteQueue SetQueue TagQueue UntagQueue", "{env}-*"),
    "ssm": Service(
        "operations", "Describe GetDocument GetParameter List", "AddTags CreateDoc DeleteDoc DeleteParam PutParam "
        "RemoveTags UpdateDoc",
    ),
    "wafv2": Service("network", "Describe Get List", "Associate Create Delete Disassociate Put Tag Untag Update"),
    "xray": Service("operations", "GetEnc GetGroup GetSampling List", "CreateG CreateS DeleteG DeleteS Tag Untag UpdateG UpdateS"),
}  # fmt: skip
IAM_LOOK: Final = ("iam:Get*", "iam:List*", "sts:GetCallerIdentity", "tag:GetResources")
IAM_CHANGE: Final = (  # roles, policies and instance profiles; no users, groups, keys or providers
    "iam:AddRoleToInstanceProfile", "iam:AttachRolePolicy", "iam:CreateInstanceProfile", "iam:CreatePolicy*",
    "iam:CreateRole", "iam:DeleteInstanceProfile", "iam:DeletePolicy*", "iam:DeleteRole*", "iam:DetachRolePolicy",
    "iam:PutRolePolicy", "iam:RemoveRoleFromInstanceProfile", "iam:Tag*", "iam:Untag*", "iam:UpdateAssumeRolePolicy",
    "iam:UpdateRole*",
)  # fmt: skip
IAM_ANY_CHANGE: Final = (
    "iam:Add*", "iam:Attach*", "iam:Create*", "iam:Delete*", "iam:Detach*", "iam:Put*", "iam:Remove*", "iam:Set*",
    "iam:Tag*", "iam:Untag*", "iam:Update*",
)  # fmt: skip
IAM_HAND: Final = ("iam:CreateServiceLinkedRole", "iam:PassRole")
DATA_CHANGE: Final = {
    "s3": "DeleteObject GetObject PutObject",
    "kms": "Decrypt Encrypt GenerateDataKey",
}  # of state, files
RUNS_AS: Final = (  # services that a stack hands a role of ours to
    "backup", "ec2", "ecs-tasks", "events", "firehose", "grafana", "kafka", "lambda", "monitoring.rds", "rds", "s3",
    "vpc-flow-logs", "cognito-idp", "es", "opensearchservice", "sns",
)  # fmt: skip
ENCRYPTS: Final = (
    "aps",
    "dynamodb",
    "elasticache",
    "es",
    "grafana",
    "kafka",
    "lambda",
    "rds",
    "s3",
    "secretsmanager",
    "sqs",
    "ssm",
)
TOO_MUCH: Final = ("AdministratorAccess", "IAMFullAccess", "PowerUserAccess")


def _actions(service: str, verbs: str) -> list[str]:
    return [f"{service}:{verb}*" for verb in verbs.split()]


def looks() -> list[str]:
    """Every action that reads how the platform is set up, and nothing that users stored in it."""
    return [*IAM_LOOK, *(action for name, each in SERVICES.items() for action in _actions(name, each.look))]


def changes(area: str, *, envs: Sequence[str], account: str) -> Iterator[Statement]:
    """What the deploying role may change in an area: by name where names tell, else within our regions."""
    anywhere: dict[bool, list[str]] = {}
    for name, service in SERVICES.items():
        if service.area != area:
            continue
        actions = _actions(name, service.change)
        if service.scope:
            where = ":::" if name == "s3" else f":*:{account}:"
            ends = dict.fromkeys(end.format(env=env) for env in envs for end in service.scope.split())
            named = [f"arn:aws:{name}{where}{end}" for end in ends]
            yield Statement(actions=actions, resources=named)
            actions = _actions(name, service.unnamed)
        anywhere.setdefault(service.everywhere, []).extend(actions)
    for everywhere, actions in anywhere.items():
        # AWS makes the ids: this keeps to the platform's regions, the boundary off what must stay.
        conditions = {} if everywhere else {"StringEquals": {"aws:RequestedRegion": [PRIMARY, STANDBY]}}
        yield Statement(actions=actions, resources=["*"], conditions=conditions)


def keys(*, account: str) -> list[Statement]:
    """Keys of this account, only while another service uses them, or is granted them, on the deploying role's behalf."""
    ours = [f"arn:aws:kms:*:{account}:key/*"]
    return [
        Statement(
            actions=["kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey*", "kms:ReEncrypt*"], resources=ours,
            conditions={"StringLike": {"kms:ViaService": [f"{each}.*.amazonaws.com" for each in ENCRYPTS]}},
        ),
        Statement(
            actions=["kms:CreateGrant"], resources=ours, conditions={"Bool": {"kms:GrantIsForAWSResource": "true"}}
        ),
    ]  # fmt: skip


def identities(*, envs: Sequence[str], account: str) -> list[Statement]:
    """What the deploying role may do with IAM: its environments' roles and policies, handed to known services."""
    kinds = ("role", "policy", "instance-profile")
    own = [f"arn:aws:iam::{account}:{kind}/{env}-*" for kind in kinds for env in envs]
    return [
        Statement(actions=IAM_CHANGE, resources=own),
        Statement(
            actions=["iam:PassRole"], resources=own[: len(envs)],
            conditions={"StringEquals": {"iam:PassedToService": [f"{each}.amazonaws.com" for each in RUNS_AS]}},
        ),
        Statement(
            actions=["iam:CreateServiceLinkedRole"],
            resources=[f"arn:aws:iam::{account}:role/aws-service-role/*"],
        ),
    ]  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class PipelineArgs:
    """The roles of the pipeline.

    Attributes:
        envs: the environments that are deployed, by how their names begin.
        repository, ref: whose workflows may take them: owner/name, and the full name of a branch or tag.
        deployers: roles of machines that may also take the deploying one.
        state_bucket, state_key_arn: where Pulumi's state is, and the key of its secrets.
        kept_buckets, kept_keys: of audit and state; never deleted nor opened by the pipeline.
        artifacts_arn, artifacts_key_arn: the bucket of what was built, and its key.
    """

    oidc_provider_arn: pulumi.Input[str]
    envs: Sequence[str]
    repository: str
    ref: str
    deployers: Sequence[pulumi.Input[str]]
    state_bucket: pulumi.Input[str]
    state_key_arn: pulumi.Input[str]
    kept_buckets: Sequence[pulumi.Input[str]]
    kept_keys: Sequence[pulumi.Input[str]]
    artifacts_arn: pulumi.Input[str]
    artifacts_key_arn: pulumi.Input[str]


class Pipeline(Component):
    """Two roles that workflows take without a stored secret: `preview` looks and changes nothing, `deploy` deploys.

    Both are trusted from one ref of one repository only. Pull requests get no role: their preview needs no cloud.
    """

    KIND = "delivery:Pipeline"

    def __init__(self, stack: Stack[Any], name: str, args: PipelineArgs) -> None:
        super().__init__(stack, name)
        account = stack.settings.account_id
        self.args = args
        boundary = self._add_boundary()
        look = self.add(
            Policy, "look", description="Reads how the platform is set up",
            policy=make_policy(Statement(actions=looks(), resources=["*"])),
        )  # fmt: skip
        state = pulumi.Output.concat("arn:aws:s3:::", args.state_bucket)
        locks, objects = pulumi.Output.concat(state, "/.pulumi/locks/*"), pulumi.Output.concat(state, "/*")
        read_state = [
            Statement(actions=["s3:ListBucket"], resources=[state]),
            Statement(actions=["s3:GetObject"], resources=[objects]),
            Statement(actions=["s3:DeleteObject", "s3:PutObject"], resources=[locks]),  # a preview holds a lock as well
            Statement(actions=["kms:Decrypt", "kms:GenerateDataKey"], resources=[args.state_key_arn]),
        ]
        self.preview = self._add_role("preview", "Previews and looks for drift", boundary, [])
        self._attach("preview", self.preview, look)
        self.add(RolePolicy, "preview-state", role=self.preview.name, policy=make_policy(*read_state))

        self.deploy = self._add_role("deploy", "Deploys", boundary, args.deployers)
        self._attach("deploy", self.deploy, look)
        for area in AREAS:
            statements = [*changes(area, envs=args.envs, account=account)]
            if area == "data":
                statements += keys(account=account)
            if area == "compute":
                statements += identities(envs=args.envs, account=account)
            policy = self.add(
                Policy, area, description=f"Changes the platform: {area}", policy=make_policy(*statements)
            )
            self._attach(f"deploy-{area}", self.deploy, policy)
        deploy_state = [
            *read_state,
            Statement(actions=["s3:DeleteObject", "s3:PutObject"], resources=[objects]),
            Statement(actions=["kms:Encrypt"], resources=[args.state_key_arn]),
            Statement(actions=["s3:GetObject"], resources=[pulumi.Output.concat(args.artifacts_arn, "/*")]),
            Statement(
                actions=["kms:Decrypt"], resources=[args.artifacts_key_arn],
                conditions={"StringEquals": {"kms:ViaService": f"s3.{stack.place.region}.amazonaws.com"}},
            ),
            Statement(  # the page is files in a bucket of the environment
                actions=["s3:DeleteObject", "s3:PutObject"],
                resources=[f"arn:aws:s3:::nottermost-{env}-*-page-{account}/*" for env in args.envs],
            ),
        ]  # fmt: skip
        self.add(RolePolicy, "deploy-state", role=self.deploy.name, policy=make_policy(*deploy_state))
        self.register_outputs({"deploy": self.deploy.arn, "preview": self.preview.arn})

    def _add_role(self, name: str, does: str, boundary: Policy, machines: Sequence[pulumi.Input[str]]) -> Role:
        args = self.args
        claims = {f"{GITHUB}:aud": "sts.amazonaws.com", f"{GITHUB}:sub": f"repo:{args.repository}:ref:{args.ref}"}
        trusted = [
            Statement(
                actions=["sts:AssumeRoleWithWebIdentity"], federated=[args.oidc_provider_arn],
                conditions={"StringEquals": claims},
            )
        ]  # fmt: skip
        if machines:
            trusted.append(Statement(actions=["sts:AssumeRole"], principals=machines))
        return self.add(
            Role, name, description=f"{does}, from {args.repository} at {args.ref}", permissions_boundary=boundary.arn,
            assume_role_policy=make_policy(*trusted), max_session_duration=SESSION_S,
        )  # fmt: skip

    def _attach(self, name: str, role: Role, policy: Policy) -> None:
        self.add(RolePolicyAttachment, name, role=role.name, policy_arn=policy.arn)

    def _add_boundary(self) -> Policy:
        """The ceiling: the services there are, minus what nobody's pipeline may touch."""
        account = self.stack.settings.account_id
        own = [
            f"arn:aws:iam::{account}:{kind}/{self.physical_name(make, self.logical_name)}-*"
            for kind, make in (("role", Role), ("policy", Policy))
        ]
        buckets = [pulumi.Output.concat("arn:aws:s3:::", bucket) for bucket in self.args.kept_buckets]
        return self.add(
            Policy, "boundary", description="What the pipeline's roles can never do, whatever they are given",
            policy=make_policy(
                Statement(sid="Ceiling", actions=ceilings(), resources=["*"]),
                Statement(sid="OwnRolesStay", effect="Deny", actions=IAM_ANY_CHANGE, resources=own),
                Statement(
                    sid="AuditStays", effect="Deny", resources=buckets,
                    actions=["s3:DeleteBucket*", "s3:PutBucket*", "s3:PutEncryption*", "s3:PutLifecycle*"],
                ),
                Statement(
                    sid="KeysStay", effect="Deny", resources=self.args.kept_keys,
                    actions=["kms:DisableKey", "kms:PutKeyPolicy", "kms:ScheduleKeyDeletion"],
                ),
                Statement(
                    sid="NoAdministrators", effect="Deny", actions=["iam:AttachRolePolicy"], resources=["*"],
                    conditions={"ArnEquals": {"iam:PolicyARN": [f"arn:aws:iam::aws:policy/{each}" for each in TOO_MUCH]}},
                ),
            ),
        )  # fmt: skip


def ceilings() -> list[str]:
    """Every action of either role; of most two letters, since a policy holds 6,144 characters."""
    services = {
        f"{name}:{verb[:2]}*": None
        for name, each in SERVICES.items()
        for verb in f"{each.look} {each.change} {each.unnamed} {DATA_CHANGE.get(name, '')}".split()
    }
    return [*services, *IAM_LOOK, *IAM_CHANGE, *IAM_HAND]
