"""The only SELECTs of metadata. Each holds at one revision, `$1`: the latest or an older one."""
