"""Plain `pulumi_aws` components with safe defaults: the parts that stacks are put together from."""
