"""The kernel that judges: values, rules, the envelope, `decide`, `guard`. Read `values` first, then `envelope`."""
